// Corrections of predicted and evaluated images: saved one after another, and undone and redone in turn.
import { Problem } from '../api/client';
import type { Review } from '../api/predictions';
import { stepChange } from '../state/changes';
import { notices } from '../state/notices.svelte';
import { saving } from '../state/queue';
import type { ImageList } from './gallery/image_list.svelte';

export const NO_REVIEW: Review = { correction: null, excluded: null };

/**
 * Number of corrections since the app was opened. Components that show their effects reload when it changes.
 */
export const corrections = $state({ n: 0 });

type Corrected = { row_id: number } & Partial<Review>;

interface Saved<Item> {
  row: Item;
  change: number | null; // null if nothing was changed
}

interface Change {
  row: number;
  change: number;
}

export class Corrections<Item extends Corrected, Query> {
  #done: Change[] = [];
  #undone: Change[] = [];
  #enqueue = saving();

  constructor(
    private readonly list: ImageList<Item, Query>,
    private readonly save: (row: number, review: Review) => Promise<Saved<Item>>,
    private readonly onshow: (row: Item) => unknown = () => {},
  ) {}

  /** Correct an image or exclude it; `NO_REVIEW` removes the correction. */
  correct(row: number, review: Review): Promise<void> {
    return this.#enqueue(async () => {
      try {
        // The image may have changed since the key was pressed.
        const before = this.list.items.get(row) ?? (await this.list.source.read([row]))[0];
        if (!before || isSame(before, review)) return;
        const { row: after, change } = await this.save(row, review);
        if (change !== null) {
          this.#done.push({ row, change });
          this.#undone = [];
        }
        await this.#show(after);
      } catch (problem) {
        this.#fail(problem);
      }
    });
  }

  /** Undo the last correction, or redo the one that was undone last, and go to its image. */
  step(by: 'undo' | 'redo'): Promise<void> {
    return this.#enqueue(async () => {
      const [from, to] = by === 'undo' ? [this.#done, this.#undone] : [this.#undone, this.#done];
      const last = from.at(-1);
      if (!last) return;
      try {
        await stepChange(last.change, by);
        from.pop();
        to.push(last);
        await this.#show((await this.list.source.read([last.row]))[0]!);
        const index = this.list.indexOf(last.row);
        if (index >= 0) this.list.go(index);
      } catch (problem) {
        if (this.#fail(problem)) from.pop(); // otherwise, the step can be repeated
      }
    });
  }

  async #show(row: Item): Promise<void> {
    await this.onshow(row);
    this.list.put([row]);
    corrections.n += 1;
  }

  /** Show a problem. The result is whether the image has another correction now; then the list is reloaded. */
  #fail(problem: unknown): boolean {
    notices.showProblem(problem);
    const isOutdated = problem instanceof Problem && problem.status === 409;
    if (isOutdated) this.list.reloadSoon();
    return isOutdated;
  }
}

const isSame = (row: Partial<Review>, review: Review) =>
  (row.correction ?? null) === review.correction && (row.excluded ?? null) === review.excluded;
