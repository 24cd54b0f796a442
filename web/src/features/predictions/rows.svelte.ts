// The rows of a prediction as they are worked through: the one under the keys, corrections, and the way back.
import { Problem } from '../../api/client';
import { correctRow, listPredictionRows, type Answer, type PredictionRow } from '../../api/predictions';
import type { RowQuery } from '../../api/evaluation_images';
import { advancing } from '../../state/advancing.svelte';
import { notices } from '../../state/notices.svelte';
import { sequential } from '../../state/queue';
import { texts } from '../../texts';
import { actionOf, isListed, isSameAnswer, NO_ANSWER, mergeRows, type Correction } from './corrections';

const PAGE = 100;
const MOST_AT_ONCE = 2000;
const RENEW_MS = 800; // rows may come by the hundred a second

/** Which rows are asked for, and in which of the page's lists they stand. */
export interface RowRequest {
  show: string;
  query: RowQuery;
}

export class PredictionList {
  rows = $state.raw<readonly PredictionRow[]>([]);
  total = $state<number | null>(null); // null: not known yet
  problem = $state.raw<unknown>(null);
  currentKey = $state<number | null>(null); // the k of the row under the keys, wherever it comes to stand
  isOpen = $state(false); // large, in the viewer
  readonly index = $derived(this.rows.findIndex((row) => row.k === this.currentKey));
  readonly row = $derived(this.rows[this.index]);
  readonly hasMore = $derived(this.total !== null && this.rows.length < this.total);

  /** Where the keyboard goes to; the page knows how. */
  onfocus: (k: number | null) => void = () => undefined;
  /** Something was corrected: counts are others now. */
  oncorrected: () => void = () => undefined;

  #question: RowRequest = { show: 'all', query: {} };
  #corrections: readonly Correction[] = [];
  #isBetween = false; // the next row is still being fetched
  #isStale = false; // rows came while one was looked at
  #pinnedKey: number | null = null; // the k of a row that stays in the list only because it is under the keys
  #following: Promise<void> | null = null;
  #reloading: ReturnType<typeof setTimeout> | undefined;
  // What is asked of the server about rows goes one after the other: no answer can overwrite a later one.
  #enqueue = sequential();

  constructor(readonly id: string) {}

  /** Start again with other rows. */
  ask(question: RowRequest): void {
    this.#question = question;
    this.rows = [];
    this.total = this.currentKey = null;
    this.isOpen = false;
    void this.load();
  }

  close(): void {
    clearTimeout(this.#reloading);
  }

  /** There are more rows, or others, than when they were asked for: soon they are asked for again. */
  reloadSoon(): void {
    this.#reloading ??= setTimeout(() => {
      this.#reloading = undefined;
      if (this.isOpen) this.#isStale = true;
      else void (this.rows.length >= MOST_AT_ONCE ? this.more() : this.load());
    }, RENEW_MS);
  }

  /** Those that are shown, as they are now. */
  load(): Promise<void> {
    return this.#read(0, Math.min(Math.max(this.rows.length, PAGE), MOST_AT_ONCE), (items) => {
      if (this.isOpen) {
        this.#isStale = true;
        return false;
      }
      this.rows = mergeRows(this.rows, items, this.currentKey);
      this.#pinnedKey = items.some((row) => row.k === this.currentKey) ? null : this.currentKey;
      return true;
    });
  }

  /** Those that come next. */
  more(): Promise<void> {
    this.#following ??= this.#read(null, PAGE, (items) => {
      const shownKeys = new Set(this.rows.map((row) => row.k));
      this.rows = [...this.rows, ...items.filter((row) => !shownKeys.has(row.k))];
      return true;
    }).finally(() => (this.#following = null));
    return this.#following;
  }

  #read(
    offset: number | null,
    limit: number,
    take: (items: readonly PredictionRow[]) => boolean,
  ): Promise<void> {
    return this.#enqueue(async () => {
      const request = this.#question;
      const { show } = request;
      // The server's list gets shorter as this one is worked through: what left it there is not counted.
      const nListed = this.rows.filter((row) => row.k !== this.#pinnedKey && isListed(row, show)).length;
      try {
        const page = await listPredictionRows(this.id, {
          ...request.query,
          offset: offset ?? nListed,
          limit,
        });
        if (request !== this.#question || !take(page.items)) return; // another question is answered next
        this.total = page.total + this.rows.filter((row) => !isListed(row, show)).length;
        if (this.index < 0) this.currentKey = null; // no image is corrected that nobody selected
        this.problem = null;
      } catch (error) {
        if (request === this.#question) this.problem = error;
      }
    });
  }

  async move(by: number): Promise<void> {
    if (this.#isBetween) return;
    if (this.index + by >= this.rows.length && this.hasMore) {
      this.#isBetween = true;
      await this.more();
      this.#isBetween = false;
    }
    const index = this.index < 0 ? 0 : this.index + by;
    this.go(this.rows[Math.min(Math.max(index, 0), this.rows.length - 1)]?.k ?? null);
    if (this.index > this.rows.length - 10 && this.hasMore) void this.more();
  }

  go(k: number | null): void {
    this.currentKey = k;
    if (!this.isOpen) this.onfocus(k);
  }

  open(k: number): void {
    this.currentKey = k;
    this.isOpen = true;
  }

  /** After the viewer was closed: the row that was looked at has the keyboard, and what came meanwhile is shown. */
  closed(): void {
    void this.move(0);
    if (!this.#isStale) return;
    this.#isStale = false;
    void this.load();
  }

  /** Say what a row really shows, or that it is of no use; `NO_ANSWER` takes that back. */
  correct(row: PredictionRow, answer: Answer): Promise<void> {
    return this.#enqueue(async () => {
      // As it is by now: another may have been sent since the key was pressed.
      const { correction, excluded } = this.rows.find((other) => other.k === row.k) ?? row;
      const before = { correction, excluded };
      if (isSameAnswer(answer, before)) return;
      const request = { k: row.k, before, answer };
      this.#corrections = [...this.#corrections, request];
      if (!(await this.#send(row.k, answer)))
        this.#corrections = this.#corrections.filter((other) => other !== request);
    });
  }

  undo(): Promise<void> {
    return this.#enqueue(async () => {
      const last = this.#corrections.at(-1);
      if (!last) return;
      const isDone = await this.#send(last.k, last.before, last.answer);
      if (isDone !== null) this.#corrections = this.#corrections.slice(0, -1);
      if (!isDone) return;
      notices.say(texts.predict.correctionRemoved);
      if (this.rows.some((row) => row.k === last.k)) this.go(last.k);
    });
  }

  /** Whether it was kept; null: it may be tried again. */
  async #send(k: number, answer: Answer, undoes: Answer | null = null): Promise<boolean | null> {
    try {
      const after = await correctRow(this.id, k, answer, undoes);
      this.rows = this.rows.map((other) => (other.k === k ? after : other));
      this.oncorrected();
      return true;
    } catch (error) {
      notices.fail(error);
      if (!(error instanceof Problem && error.status === 409)) return null;
      this.reloadSoon(); // somebody else answered
      return false;
    }
  }

  /** Do what a key asks for; whether it was one of ours. In a gallery up and down go by a line of `nColumns`. */
  key(event: KeyboardEvent, classes: readonly string[], nColumns: number): boolean {
    const act = actionOf(event, classes, nColumns);
    if (!act) return false;
    // Meanwhile a key would mean the next image, which is not here yet.
    if (this.#isBetween && (act.kind === 'correct' || act.kind === 'clear')) return true;
    if ((act.kind === 'correct' || act.kind === 'clear') && !this.row) notices.say(texts.predict.selectFirst);
    else if (act.kind === 'correct' && this.row) {
      void this.correct(this.row, act.answer);
      if (advancing.isOn) void this.move(1);
    } else if (act.kind === 'clear' && this.row) void this.correct(this.row, NO_ANSWER);
    else if (act.kind === 'undo') void this.undo();
    else if (act.kind === 'move' && !this.isOpen) void this.move(act.by);
    else if (act.kind === 'open' && !this.isOpen && this.row) this.isOpen = true;
    else return false;
    return true;
  }
}
