// Labels corrected where a mistake is seen: they join the dataset at once, and can be taken back.
import type { MeasuredImages, PictureRow } from '../../../api/measured';
import { classOfKey } from '../../../images/classes';
import { notices } from '../../../state/notices.svelte';
import { inTurn } from '../../../state/turns';
import { texts } from '../../../texts';

/** How many were made since the page was opened: whoever shows what follows from them asks anew. */
export const corrections = $state({ n: 0 });

export class Correcting {
  #made: { k: number; before: string | null }[] = [];
  #turn = inTurn();

  constructor(
    private readonly images: MeasuredImages,
    private readonly onchange: (row: PictureRow) => void,
  ) {}

  /** Say what an image really shows; null takes that back. */
  correct(row: PictureRow, label: string | null): Promise<void> {
    const before = row.correction ?? null;
    const wanted = label === row.label ? null : label;
    if (wanted === before) return Promise.resolve();
    return this.#turn(async () => {
      if (await this.#send(row.k, wanted)) this.#made.push({ k: row.k, before });
    });
  }

  undo(): Promise<void> {
    return this.#turn(async () => {
      const last = this.#made.at(-1);
      if (!last || !(await this.#send(last.k, last.before))) return;
      this.#made.pop();
      notices.say(texts.predict.undone);
    });
  }

  /** Do what a key asks for; whether it was one of ours. */
  key(event: KeyboardEvent, row: PictureRow, classes: readonly string[]): boolean {
    const isHeld = event.ctrlKey || event.metaKey;
    if (isHeld && event.key.toLowerCase() === 'z' && !event.shiftKey) {
      void this.undo();
      return true;
    }
    if (isHeld || event.altKey) return false;
    const isTakenBack = event.key === 'Delete' || event.key === 'Backspace';
    const label = isTakenBack ? null : classes[classOfKey(event.key, classes.length) ?? -1];
    if (label === undefined) return false;
    void this.correct(row, label);
    return true;
  }

  async #send(k: number, label: string | null): Promise<boolean> {
    try {
      this.onchange(await this.images.correct(k, label));
      corrections.n += 1;
      return true;
    } catch (error) {
      notices.fail(error);
      return false;
    }
  }
}
