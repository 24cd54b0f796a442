// Correction of labels in the results. Corrections change the dataset immediately and can be undone.
import { Problem } from '../../../api/client';
import { undoLabels } from '../../../api/datasets';
import type { EvaluatedImages, PictureRow } from '../../../api/evaluations';
import { classOfKey } from '../../../images/classes';
import { notices } from '../../../state/notices.svelte';
import { sequential } from '../../../state/queue';
import { texts } from '../../../texts';

/**
 * Number of corrections since the page was opened. Components that show their effects reload when it changes.
 */
export const corrections = $state({ n: 0 });

export class LabelCorrections {
  #history: { row: PictureRow; change: number }[] = []; // rows before their corrections
  #enqueue = sequential();

  constructor(
    private readonly images: EvaluatedImages,
    private readonly onchange: (row: PictureRow) => void,
  ) {}

  /** Correct the label of an image; null removes the correction. */
  correct(row: PictureRow, label: string | null): Promise<void> {
    const before = row.correction ?? null;
    const correction = label === row.label ? null : label;
    if (correction === before) return Promise.resolve();
    return this.#enqueue(async () => {
      try {
        const { row: after, change } = await this.images.correct(row.row_id, correction);
        if (change !== null) this.#history.push({ row, change });
        this.#show(after);
      } catch (error) {
        notices.showProblem(error);
      }
    });
  }

  undo(): Promise<void> {
    return this.#enqueue(async () => {
      const last = this.#history.at(-1);
      if (!last) return;
      try {
        await undoLabels(this.images.datasetId!, last.change);
        this.#show(last.row);
        notices.show(texts.predict.correctionRemoved);
      } catch (error) {
        notices.showProblem(error);
        if (!(error instanceof Problem && error.status === 409)) return; // the undo can be repeated
      }
      this.#history.pop();
    });
  }

  /** Run the action of a key; the result is whether there is one. */
  key(event: KeyboardEvent, row: PictureRow, classes: readonly string[]): boolean {
    const isCommand = event.ctrlKey || event.metaKey;
    if (isCommand && event.key.toLowerCase() === 'z' && !event.shiftKey) {
      void this.undo();
      return true;
    }
    if (isCommand || event.altKey) return false;
    const isRemoval = event.key === 'Delete' || event.key === 'Backspace';
    const label = isRemoval ? null : classes[classOfKey(event.key, classes.length) ?? -1];
    if (label === undefined) return false;
    void this.correct(row, label);
    return true;
  }

  #show(row: PictureRow): void {
    this.onchange(row);
    corrections.n += 1;
  }
}
