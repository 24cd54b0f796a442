// Giving classes to images: shown at once, kept on the server one change after the other, undone and done again.
// What is undone are changes of this tab; the server refuses to undo one whose images were labeled again since.
import { redoLabels, setLabels, undoLabels, type Dataset } from '../api/datasets';
import { Problem } from '../api/client';
import { notices } from '../state/notices.svelte';
import { texts } from '../texts';
import type { ImageList } from './gallery/image_list.svelte';

const words = texts.datasets.gallery;
const MOST_STEPS = 500; // that can be undone

/** Numbers of changes of labels that were made in this tab, the last one last. */
interface LabelHistory {
  done: number[];
  undone: number[];
}

/** The changes that were kept as a text; none where it is damaged. */
function parseHistory(text: string): LabelHistory {
  try {
    const { done, undone } = JSON.parse(text) as LabelHistory;
    if ([done, undone].every((changes) => Array.isArray(changes) && changes.every(Number.isInteger)))
      return { done, undone };
  } catch {
    // no JSON, or null
  }
  return { done: [], undone: [] };
}

export class Labeling {
  nWaiting = $state(0); // changes that the server does not have yet
  #history = $state.raw<LabelHistory>({ done: [], undone: [] });
  #undoNotice: number | undefined; // the notice whose button takes back the last change

  constructor(
    private readonly listed: ImageList,
    private readonly onchange: (dataset: Dataset) => void,
  ) {
    const stored = sessionStorage.getItem(this.#key); // the dataset's other pages are left and come back to
    this.#history = parseHistory(stored ?? '');
  }

  get canUndo(): boolean {
    return this.#history.done.length > 0;
  }

  get canRedo(): boolean {
    return this.#history.undone.length > 0;
  }

  /** Give images a class, or take theirs away. It is shown at once, and taken back where it could not be kept. */
  async give(images: string[], label: string | null): Promise<void> {
    this.closeUndoNotice();
    const before = this.listed.relabel(images, label);
    if (images.length > 1) this.#offerUndo(images.length, label);
    this.nWaiting += 1;
    await this.listed.sequential(async () => {
      try {
        const answer = setLabels(this.listed.id, images, label);
        const { change, dataset } = await answer.finally(() => this.listed.settle(images));
        if (change !== null) this.#keep({ done: [...this.#history.done, change], undone: [] });
        this.onchange(dataset);
        if (images.length > before.length) this.listed.refresh(); // some were not known here yet
      } catch (problem) {
        this.listed.restore(before, label);
        this.#fail(problem);
      } finally {
        this.nWaiting -= 1;
      }
    });
  }

  /** Take the last change of this tab back, or make it again; gives its images, none where there was nothing. */
  async step(by: 'undo' | 'redo'): Promise<string[]> {
    this.closeUndoNotice();
    const images = await this.listed.sequential(() => this.#stepped(by));
    if (images.length) notices.say(words[by === 'undo' ? 'undone' : 'redone'](images.length));
    return images;
  }

  async #stepped(by: 'undo' | 'redo'): Promise<string[]> {
    const { done, undone } = this.#history;
    const change = (by === 'undo' ? done : undone).at(-1);
    if (change === undefined) return [];
    try {
      const { images, dataset } = await (by === 'undo' ? undoLabels : redoLabels)(this.listed.id, change);
      if (by === 'undo') this.#keep({ done: done.slice(0, -1), undone: [...undone, change] });
      else this.#keep({ done: [...done, change], undone: undone.slice(0, -1) });
      this.onchange(dataset);
      this.listed.changed(images);
      return images;
    } catch (problem) {
      if (problem instanceof Problem && problem.status === 409)
        this.#keep(
          by === 'undo' ? { done: done.slice(0, -1), undone } : { done, undone: undone.slice(0, -1) },
        );
      this.#fail(problem);
      return [];
    }
  }

  /** Where something else was changed since, what is shown is old. */
  #fail(problem: unknown): void {
    notices.fail(problem);
    if (problem instanceof Problem && problem.status === 409) void this.listed.reload();
  }

  get #key(): string {
    return `coverslip.labels.${this.listed.id}`;
  }

  #keep({ done, undone }: LabelHistory): void {
    this.#history = { done: done.slice(-MOST_STEPS), undone };
    sessionStorage.setItem(this.#key, JSON.stringify(this.#history));
  }

  #offerUndo(n: number, label: string | null): void {
    this.#undoNotice = notices.say(words.labeled(n, label ?? words.noClass), {
      title: texts.general.undo,
      run: () => void this.step('undo'),
      isOfPage: true,
    });
  }

  closeUndoNotice(): void {
    if (this.#undoNotice !== undefined) notices.close(this.#undoNotice);
    this.#undoNotice = undefined;
  }
}
