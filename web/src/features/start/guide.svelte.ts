// The guided first run: the steps of the tutorial, with the sample images. The step follows the pages that the user
// opens, and only the button “Back” returns to an earlier step.
import { readJob } from '../../api/jobs';
import { router } from '../../state/router.svelte';

const STEPS = ['overview', 'checks', 'groups', 'train', 'result', 'predict', 'review', 'share'] as const;
export type Step = (typeof STEPS)[number];

const NUMBERS: Record<Step, number> = {
  overview: 1,
  checks: 2,
  groups: 3,
  train: 4,
  result: 5,
  predict: 6,
  review: 6, // of the same predictions
  share: 7,
};
export const N_STEPS = 7;

const KEY = `coverslip.guide ${document.baseURI}`; // projects of a server are apart
const SAMPLES = 'datasets/samples';
const known: Partial<Record<Step, string>> = {
  overview: SAMPLES,
  checks: `${SAMPLES}?tab=checks`,
  groups: `${SAMPLES}?tab=checks&part=groups`,
  train: 'train?dataset=samples',
};
const OF_TABS: Partial<Record<string, Step>> = {
  overview: 'overview',
  images: 'checks',
  checks: 'checks',
};
const OF_OTHER_DATA =
  /^\/(compare|(datasets(?!\/samples)|runs|predictions|evaluations|classifiers|studies)\/.)/;

interface Saved {
  step: Step;
  addresses: Partial<Record<Step, string>>; // pages that belong to steps, as far as they exist
}

/** The step to which a page belongs; null if it belongs to none. */
export function stepOf(path: string, query: URLSearchParams, { step, addresses }: Saved): Step | null {
  if (path === `/${SAMPLES}` && query.get('part') === 'groups') return 'groups';
  if (path === `/${SAMPLES}`) return OF_TABS[query.get('tab') ?? 'overview'] ?? null;
  if (path === '/train') return query.get('dataset') === 'samples' ? 'train' : null;
  if (path === '/predict') {
    const classifier = query.get('classifier');
    return classifier === null || addresses.result === `runs/${classifier}` ? 'predict' : null;
  }
  if (path === `/${addresses.result}`) return step === 'review' || step === 'share' ? 'share' : 'result';
  if (path === `/${addresses.review}`) return 'review';
  return null;
}

class Guide {
  #saved = $state.raw<Saved | null>(parse(localStorage.getItem(KEY)));

  readonly #here = $derived(this.#saved && stepOf(router.path, router.query, this.#saved));

  /** The current step; null if the guide is closed. */
  get step(): Step | null {
    return this.#saved?.step ?? null;
  }

  /** Number of the current step, from 1. */
  readonly number = $derived(this.step ? NUMBERS[this.step] : 0);

  /** Whether the page belongs to the current step. */
  readonly isHere = $derived(this.#here !== null && this.#here === this.step);

  /** Whether the guide is closed, or the page belongs to other data or to the documentation. */
  readonly isHidden = $derived(
    !this.#saved ||
      (this.#here === null &&
        (router.path === '/train' ||
          router.path === '/predict' ||
          router.path.startsWith('/help') ||
          OF_OTHER_DATA.test(router.path))),
  );

  readonly previous = $derived(this.step && STEPS[STEPS.indexOf(this.step) - 1]);
  readonly next = $derived(this.step && STEPS[STEPS.indexOf(this.step) + 1]);

  /** The page of a step; undefined if it does not exist yet. */
  addressOf(step: Step | null | undefined): string | undefined {
    return step ? this.#saved?.addresses[step === 'share' ? 'result' : step] : undefined;
  }

  start(): void {
    this.#save({ step: 'overview', addresses: known });
  }

  close(): void {
    this.#save(null);
  }

  go(step: Step): void {
    if (this.#saved) this.#save({ ...this.#saved, step });
  }

  /** Go to the step of the page that is open now, unless it is an earlier step. */
  follow(): void {
    const step = this.#here;
    if (!this.#saved || !step || STEPS.indexOf(step) < STEPS.indexOf(this.#saved.step)) return;
    const address = router.page + (step === 'predict' ? `?${router.query}` : '');
    this.#save({ step, addresses: { ...this.#saved.addresses, [step]: known[step] ?? address } });
  }

  /** Make the open training of the sample images the result, or the open prediction of new ones that to review. */
  async followJob(): Promise<void> {
    const { page } = router;
    const [, kind, id] = /^(runs|predictions)\/([^/]+)$/.exec(page) ?? [];
    if (!this.#saved || !id) return;
    const [of, first] = kind === 'runs' ? (['result', 'train'] as const) : (['review', 'predict'] as const);
    const isEarly = STEPS.indexOf(this.#saved.step) < STEPS.indexOf(first);
    if (isEarly || this.#saved.addresses[of] === page) return;
    const isOfSamples = await (
      kind === 'runs'
        ? readJob('train', id).then(({ dataset_id }) => dataset_id === 'samples')
        : readJob('predict', id).then(({ dataset_id }) => dataset_id === 'samples-new')
    ).catch(() => false); // the page shows the error
    if (!isOfSamples || !this.#saved || router.page !== page) return;
    this.#save({ ...this.#saved, addresses: { ...this.#saved.addresses, [of]: page } });
    this.follow();
  }

  #save(saved: Saved | null): void {
    this.#saved = saved;
    if (saved) localStorage.setItem(KEY, JSON.stringify(saved));
    else localStorage.removeItem(KEY);
  }
}

function parse(text: string | null): Saved | null {
  try {
    const saved = JSON.parse(text ?? 'null') as Saved | null;
    return saved && STEPS.includes(saved.step) ? saved : null;
  } catch {
    return null; // of another version
  }
}

export const guide = new Guide();
