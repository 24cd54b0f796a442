// Corrections of the images of a training, an evaluation or a prediction, by buttons and keys: saved one after another,
// and undone and redone in turn.
import { Problem } from '../api/client';
import { changeImages } from '../api/datasets';
import type { Filters, PredictionRow } from '../api/lists';
import type { CorrectedRow, Review } from '../api/predictions';
import { autoAdvance } from '../state/auto_advance.svelte';
import { stepChange, undoButton } from '../state/changes';
import { notices } from '../state/notices.svelte';
import { saving } from '../state/queue';
import { texts } from '../texts';
import type { ClassKeys } from './classes';
import type { ImageList } from './gallery/image_list.svelte';
import { actionOf } from './gallery/keys';
import { labelText } from './labeling.svelte';
import { answerText, NO_REVIEW, repeatsOf } from './reviews';

/** Number of corrections since the app was opened. Components that show their effects reload when it changes. */
export const corrections = $state({ n: 0 });

interface Change {
  row: number;
  change: number;
}

export class Corrections {
  #done: Change[] = [];
  #undone: Change[] = [];
  #enqueue = saving();

  /**
   * `save` stores a correction of a row. `predictedClasses` are the classes of a prediction, whose images can also be excluded; null for measured images,
   * whose labels are corrected in their dataset, which may have classes that the classifier does not have.
   */
  constructor(
    private readonly save: (row: number, review: Review) => Promise<CorrectedRow>,
    private readonly list: ImageList<PredictionRow, Filters>,
    readonly keys: () => ClassKeys,
    private readonly predictedClasses: (() => readonly string[]) | null,
    private readonly onhelp: () => void = () => {},
  ) {}

  get isOfPrediction(): boolean {
    return this.predictedClasses !== null;
  }

  get classes(): readonly string[] {
    return this.predictedClasses?.() ?? this.keys().ofDataset;
  }

  /** Correct the selected image or exclude it; `NO_REVIEW` removes the correction. */
  review = (answer: Review): void => {
    const { current, rows } = this.list;
    if (current === null) notices.showLabel(texts.predict.selectFirst);
    else void this.#correct(rows![current]!, answer);
  };

  /** Confirm the label of the selected measured image in its dataset, or remove the confirmation. */
  confirm = (): void => {
    const { item } = this.list;
    const { dataset } = this.keys();
    if (!item || !dataset) return void notices.showLabel(texts.predict.selectFirst);
    void this.#enqueue(async () => {
      try {
        const before = await this.#now(item.row_id);
        if (!before) return;
        const is_confirmed = !before.is_confirmed;
        const { change } = await changeImages(dataset.id, { rows: [before.image!] }, { is_confirmed });
        const words = texts.runs.retraining;
        notices.showLabel(
          `${before.image_id}: ${is_confirmed ? words.confirmed : words.notConfirmed}`,
          undoButton(change, () => this.#show(before)),
        );
        await this.#show({ ...before, is_confirmed });
      } catch (problem) {
        this.#fail(problem);
      }
    });
  };

  /** Act on a key. The result is whether the key has a meaning. */
  key = (event: KeyboardEvent): boolean => {
    const command = actionOf(event, this.keys(), this.classes);
    if (command?.act === 'help') this.onhelp();
    else if (command?.act === 'confirm' && !this.isOfPrediction) this.confirm();
    else if (command?.act === 'undo' || command?.act === 'redo') void this.#step(command.act);
    else if (command?.act === 'refuse')
      notices.showLabel(texts.predict.otherClass(command.label, this.isOfPrediction));
    else if (command?.act === 'assign' && command.label === null) this.review(NO_REVIEW);
    else if (command?.act === 'assign') this.#answer({ correction: command.label, excluded: null });
    else if (command?.act === 'exclude' && this.isOfPrediction)
      this.#answer({ correction: null, excluded: command.reason });
    else return false;
    return true;
  };

  #answer(answer: Review): void {
    this.review(answer);
    if (this.isOfPrediction && this.list.current !== null && autoAdvance.isOn) this.list.advance();
  }

  /** The row as it is now: the image may have changed since the key was pressed. */
  async #now(row: number): Promise<PredictionRow | undefined> {
    return this.list.items.get(row) ?? (await this.list.source.read([row]))[0];
  }

  #correct(row: number, review: Review): Promise<void> {
    return this.#enqueue(async () => {
      try {
        const before = await this.#now(row);
        if (!before) return;
        if (isSame(before, review)) return this.#say(before);
        const { row: after, change } = await this.save(row, review);
        this.#say(after);
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
  #step(by: 'undo' | 'redo'): Promise<void> {
    return this.#enqueue(async () => {
      const [from, to] = by === 'undo' ? [this.#done, this.#undone] : [this.#undone, this.#done];
      const last = from.at(-1);
      if (!last) return;
      try {
        let text = '';
        await stepChange(last.change, by, (what) => (text = what));
        from.pop();
        to.push(last);
        const [after] = await this.list.source.read([last.row]);
        this.#say(after!, `${text} `);
        await this.#show(after!);
        const index = this.list.indexOf(last.row);
        if (index >= 0) this.list.go(index);
      } catch (problem) {
        if (this.#fail(problem)) from.pop(); // otherwise, the step can be repeated
      }
    });
  }

  /** Say which correction an image has now. */
  #say(row: PredictionRow, before = ''): void {
    const label = this.isOfPrediction ? null : row.label; // of a measured image without a correction
    notices.showLabel(
      before + labelText(row.image_id, answerText(row) ?? label ?? texts.predict.notCorrected),
    );
  }

  /** The server corrects all rows of an image, and the page shows all of them. */
  async #show(row: PredictionRow): Promise<void> {
    const repeats = repeatsOf(row, this.list.items.values());
    if (repeats.length) this.list.put([...(await this.list.source.read(repeats))]);
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

const isSame = (row: PredictionRow, review: Review) =>
  row.correction === review.correction && row.excluded === review.excluded;
