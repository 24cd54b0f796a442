// Labeling of images: labels are shown immediately and saved one after another. Undo and redo apply to the
// changes of this tab. Images that were relabeled since stay as they are.
import { changeImages, type Dataset, type ImageSelection } from '../api/datasets';
import type { Filters, Image } from '../api/lists';
import { Problem } from '../api/client';
import { stepChange } from '../state/changes';
import { notices } from '../state/notices.svelte';
import { unsavedUntil } from '../state/queue';
import { texts } from '../texts';
import type { ClassKeys } from './classes';
import type { ImageList } from './gallery/image_list.svelte';
import { actionOf } from './gallery/keys';
import { nSelected, selectedIndices, type Selection } from './gallery/selection';

const words = texts.datasets.gallery;
const MOST_STEPS = 500; // largest number of undo steps
const LONGEST_NAME = 48; // characters of the name of an image in a notice

/** Ids of the label changes of this tab, oldest first. */
interface LabelHistory {
  done: number[];
  undone: number[];
}

/** Parse a stored history; empty if it is not valid. */
function parseHistory(text: string): LabelHistory {
  try {
    const { done, undone } = JSON.parse(text) as LabelHistory;
    if ([done, undone].every((changes) => Array.isArray(changes) && changes.every(Number.isInteger)))
      return { done, undone };
  } catch {
    // not valid JSON, or null
  }
  return { done: [], undone: [] };
}

/** Which label an image got; file names often differ at the end. */
export function labelText(name: string, label: string): string {
  return words.labeled(name.length > LONGEST_NAME ? `…${name.slice(-LONGEST_NAME)}` : name, label);
}

/** The selected images for a request: all of the list that the page shows but some, or each. */
export function selectedOf(listed: ImageList<Image, Filters>, selection: Selection): ImageSelection {
  const rowsAt = (indices: Iterable<number>) => [...indices].map((index) => listed.rows![index]!);
  const { digest } = listed;
  // After a change of labels, the images in the gallery may differ from those that match.
  if (selection.isInverted && !listed.isChanged && digest !== null)
    return {
      filters: listed.matched ?? {},
      n_listed: listed.n,
      digest,
      except_rows: rowsAt(selection.indices),
    };
  return { rows: rowsAt(selectedIndices(selection, listed.n)) };
}

/** What keys do beside undo and redo. */
interface PageActions {
  assign: (label: string | null) => void;
  help: () => void;
  confirm?: () => void;
}

export class Labeling {
  nWaiting = $state(0); // number of labels that are not saved yet
  nChanging = $state(0); // number of other changes, undos and redos that are running
  #history = $state.raw<LabelHistory>({ done: [], undone: [] });
  #notice: number | undefined; // id of the notice on the last change

  constructor(
    private readonly id: string,
    private readonly listed: ImageList<Image, Filters>,
    private readonly onchange: (dataset: Dataset) => void,
  ) {
    const stored = sessionStorage.getItem(this.#key); // the history is kept when the user opens another page
    this.#history = parseHistory(stored ?? '');
  }

  get canUndo(): boolean {
    return this.#history.done.length > 0;
  }

  get canRedo(): boolean {
    return this.#history.undone.length > 0;
  }

  /**
   * Label the selected images, or remove their labels. Labels are shown immediately and restored if they
   * cannot be saved. The result is whether they were saved.
   */
  async assign(selection: Selection, label: string | null): Promise<boolean> {
    const n = nSelected(selection, this.listed.n);
    const images = selectedOf(this.listed, selection);
    const rows = this.listed.shownRows(selection);
    const before = this.listed.change(rows, (image) => (image.label === label ? image : { ...image, label }));
    const image = n === 1 ? this.listed.at(selectedIndices(selection, this.listed.n)[0]!) : undefined;
    const text = labelText(image?.image_id ?? texts.counts.images(n), label ?? words.noClass);
    const notice = this.#show(text, n > 1);
    this.nWaiting += 1;
    const saved = this.listed.sequential(async () => {
      try {
        const answer = changeImages(this.id, images, { label });
        const { change, dataset } = await answer.finally(() => this.listed.settle(rows));
        if (change !== null) this.#store({ done: [...this.#history.done, change], undone: [] });
        else if (this.#notice === notice) this.#show(text); // nothing changed: undo would undo an earlier change
        this.onchange(dataset);
        if (n > before.length) this.listed.refresh(); // details of some images were not loaded
        return true;
      } catch (problem) {
        this.listed.put(before.filter(({ row_id }) => this.listed.items.get(row_id)?.label === label));
        this.listed.refresh(); // the label before may be one that was not saved either
        this.closeNotice(); // it would undo an earlier change
        this.#fail(problem);
        return false;
      } finally {
        this.nWaiting -= 1;
      }
    });
    return unsavedUntil(saved);
  }

  /**
   * Make a change that is no label, such as an exclusion. Undo and redo apply to it, too.
   * @param textOf what a notice says about the number of changed images
   */
  async change(work: () => ReturnType<typeof changeImages>, textOf?: (n: number) => string): Promise<void> {
    this.closeNotice();
    this.nChanging += 1;
    const done = this.listed.sequential(async () => {
      try {
        const { change, n, dataset } = await work();
        if (change !== null) this.#store({ done: [...this.#history.done, change], undone: [] });
        this.onchange(dataset);
        this.listed.refresh();
        if (textOf) this.#show(textOf(n), change !== null);
      } catch (problem) {
        this.#fail(problem);
      } finally {
        this.nChanging -= 1;
      }
    });
    await unsavedUntil(done);
  }

  /** Undo or redo the last change of this tab, and select its images. */
  async step(by: 'undo' | 'redo'): Promise<void> {
    this.closeNotice();
    this.nChanging += 1;
    const rows = await this.listed.sequential(() => this.#apply(by)).finally(() => (this.nChanging -= 1));
    this.listed.goToAll(rows);
  }

  /** Act on a key. The result is whether the key has a meaning. */
  key(event: KeyboardEvent, keys: ClassKeys, page: PageActions): boolean {
    const command = actionOf(event, keys, keys.ofDataset);
    if (command?.act === 'help') page.help();
    else if (command?.act === 'confirm' && page.confirm) page.confirm();
    else if (command?.act === 'assign') page.assign(command.label);
    else if (command?.act === 'undo' || command?.act === 'redo') void this.step(command.act);
    else return false;
    return true;
  }

  /** The result are the images that changed. */
  async #apply(by: 'undo' | 'redo'): Promise<number[]> {
    const { done, undone } = this.#history;
    const change = (by === 'undo' ? done : undone).at(-1);
    if (change === undefined) return [];
    try {
      let text = '';
      const { rows, left, dataset } = await stepChange(change, by, (what) => (text = what));
      if (by === 'undo') this.#store({ done: done.slice(0, -1), undone: [...undone, change] });
      else this.#store({ done: [...done, change], undone: undone.slice(0, -1) });
      this.onchange(dataset!);
      this.listed.invalidate([...rows, ...left]);
      this.listed.refresh();
      const notice = this.#show(text);
      const name = ([image]: readonly Image[]) => {
        if (image && !image.is_excluded && this.#notice === notice)
          this.#show(`${text} ${labelText(image.image_id, image.label ?? words.noClass)}`);
      };
      if (rows.length === 1) void this.listed.source.read(rows).then(name, () => undefined);
      return rows;
    } catch (problem) {
      if (problem instanceof Problem && problem.status === 409)
        this.#store(
          by === 'undo' ? { done: done.slice(0, -1), undone } : { done, undone: undone.slice(0, -1) },
        );
      this.#fail(problem);
      return [];
    }
  }

  /** After a conflict, the displayed images or labels are outdated. */
  #fail(problem: unknown): void {
    notices.showProblem(problem);
    if (problem instanceof Problem && [409, 412].includes(problem.status)) void this.listed.reload();
  }

  get #key(): string {
    return `coverslip.labels.${document.baseURI}.${this.id}`; // IDs of other projects may be equal
  }

  #store({ done, undone }: LabelHistory): void {
    this.#history = { done: done.slice(-MOST_STEPS), undone };
    sessionStorage.setItem(this.#key, JSON.stringify(this.#history));
  }

  /** Show a notice in place of the last one. */
  #show(text: string, canUndo = false): number {
    const undo = { title: texts.general.undo, run: () => void this.step('undo'), isOfPage: true };
    this.#notice = notices.showLabel(text, canUndo ? undo : undefined);
    return this.#notice;
  }

  closeNotice(): void {
    if (this.#notice !== undefined) notices.close(this.#notice);
    this.#notice = undefined;
  }
}
