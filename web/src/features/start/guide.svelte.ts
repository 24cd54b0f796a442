// The guided first run: steps from the sample images to predictions. The step follows the page that the user opens.
import { router } from '../../state/router.svelte';

export const STEPS = ['overview', 'checks', 'groups', 'train', 'result', 'predict', 'review'] as const;
export type Step = (typeof STEPS)[number];

const KEY = `coverslip.guide ${document.baseURI}`; // projects of a server are apart
const SAMPLES = 'datasets/samples';
const known: Partial<Record<Step, string>> = {
  overview: SAMPLES,
  checks: `${SAMPLES}?tab=checks`,
  groups: `${SAMPLES}?tab=classes#groups`,
  train: 'train?dataset=samples',
};

/** The step to which a page belongs; null if it belongs to none. */
export function stepOf(path: string, query: URLSearchParams): Step | null {
  if (path === `/${SAMPLES}`) {
    const tab = query.get('tab') ?? 'overview';
    return tab === 'checks'
      ? 'checks'
      : tab === 'classes'
        ? 'groups'
        : tab === 'overview'
          ? 'overview'
          : null;
  }
  if (/^\/runs\/[^/]+$/.test(path)) return 'result';
  if (/^\/predictions\/[^/]+$/.test(path)) return 'review';
  return path === '/train' ? 'train' : path === '/predict' ? 'predict' : null;
}

interface Saved {
  step: Step;
  addresses: Partial<Record<Step, string>>; // pages that belong to steps, as far as they exist
}

class Guide {
  #saved = $state.raw<Saved | null>(parse(localStorage.getItem(KEY)));

  /** The current step; null if the guide is closed. */
  get step(): Step | null {
    return this.#saved?.step ?? null;
  }

  /** The page of a step; undefined if it does not exist yet. */
  addressOf(step: Step | undefined): string | undefined {
    return step && this.#saved?.addresses[step];
  }

  start(): void {
    this.#save({ step: 'overview', addresses: known });
  }

  close(): void {
    this.#save(null);
  }

  /** Go to the step of the page that is open now. */
  follow(): void {
    const step = stepOf(router.path, router.query);
    if (!this.#saved || !step) return;
    const query = router.query.toString();
    const address = router.page + (query ? `?${query}` : '');
    if (this.#saved.step === step && this.#saved.addresses[step] === address) return;
    this.#save({ step, addresses: { ...this.#saved.addresses, [step]: known[step] ?? address } });
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
