// The rows of a prediction: loading, current row, corrections and undo.
import { Problem } from '../../api/client';
import { correctRow, listPredictionRows, type Review, type PredictionRow } from '../../api/predictions';
import type { RowQuery } from '../../api/evaluations';
import { autoAdvance } from '../../state/auto_advance.svelte';
import { notices } from '../../state/notices.svelte';
import { sequential } from '../../state/queue';
import { texts } from '../../texts';
import { actionOf, isListed, isSameReview, NO_REVIEW, mergeRows, type Correction } from './corrections';

const PAGE = 100;
const MAX_PAGE = 2000;
const RELOAD_MS = 800; // a prediction can write hundreds of rows per second

/** A query, and the filter that it belongs to. */
export interface RowRequest {
  show: string;
  query: RowQuery;
}

export class PredictionList {
  rows = $state.raw<readonly PredictionRow[]>([]);
  total = $state<number | null>(null); // null until loaded
  problem = $state.raw<unknown>(null);
  currentKey = $state<number | null>(null); // row id of the current row
  isOpen = $state(false); // whether the viewer is open
  readonly index = $derived(this.rows.findIndex((row) => row.row_id === this.currentKey));
  readonly row = $derived(this.rows[this.index]);
  readonly hasMore = $derived(this.total !== null && this.rows.length < this.total);

  /** Move the focus to a row; set by the page. */
  onfocus: (rowId: number | null) => void = () => undefined;
  /** Called after each correction, because counts change. */
  oncorrected: () => void = () => undefined;

  #request: RowRequest = { show: 'all', query: {} };
  #corrections: readonly Correction[] = [];
  #isLoadingNext = false; // the next rows are loading
  #isStale = false; // new rows were not loaded because the viewer is open
  #pinnedKey: number | null = null; // row id of a row that does not match the filter but is current
  #nextPage: Promise<void> | null = null;
  #reloadTimer: ReturnType<typeof setTimeout> | undefined;
  // Requests run one after another, so that no response overwrites a later one.
  #enqueue = sequential();

  constructor(readonly id: string) {}

  /** Load rows with another query. */
  request(query: RowRequest): void {
    this.#request = query;
    this.rows = [];
    this.total = this.currentKey = null;
    this.isOpen = false;
    void this.load();
  }

  close(): void {
    clearTimeout(this.#reloadTimer);
  }

  /** Reload soon, because rows were added or changed. */
  reloadSoon(): void {
    this.#reloadTimer ??= setTimeout(() => {
      this.#reloadTimer = undefined;
      if (this.isOpen) this.#isStale = true;
      else void (this.rows.length >= MAX_PAGE ? this.more() : this.load());
    }, RELOAD_MS);
  }

  /** Load the rows on the page. */
  load(): Promise<void> {
    return this.#read(0, Math.min(Math.max(this.rows.length, PAGE), MAX_PAGE), (items) => {
      if (this.isOpen) {
        this.#isStale = true;
        return false;
      }
      this.rows = mergeRows(this.rows, items, this.currentKey);
      this.#pinnedKey = items.some((row) => row.row_id === this.currentKey) ? null : this.currentKey;
      return true;
    });
  }

  /** Load the next rows. */
  more(): Promise<void> {
    this.#nextPage ??= this.#read(null, PAGE, (items) => {
      const shownKeys = new Set(this.rows.map((row) => row.row_id));
      this.rows = [...this.rows, ...items.filter((row) => !shownKeys.has(row.row_id))];
      return true;
    }).finally(() => (this.#nextPage = null));
    return this.#nextPage;
  }

  #read(
    offset: number | null,
    limit: number,
    take: (items: readonly PredictionRow[]) => boolean,
  ): Promise<void> {
    return this.#enqueue(async () => {
      const request = this.#request;
      const { show } = request;
      // Corrected rows leave the list of the server, so the offset does not count them.
      const nListed = this.rows.filter((row) => row.row_id !== this.#pinnedKey && isListed(row, show)).length;
      try {
        const page = await listPredictionRows(this.id, {
          ...request.query,
          offset: offset ?? nListed,
          limit,
        });
        if (request !== this.#request || !take(page.items)) return; // the query changed; its own request follows
        this.total = page.total + this.rows.filter((row) => !isListed(row, show)).length;
        if (this.index < 0) this.currentKey = null; // so that no unselected image is corrected
        this.problem = null;
      } catch (error) {
        if (request === this.#request) this.problem = error;
      }
    });
  }

  async move(by: number): Promise<void> {
    if (this.#isLoadingNext) return;
    if (this.index + by >= this.rows.length && this.hasMore) {
      this.#isLoadingNext = true;
      await this.more();
      this.#isLoadingNext = false;
    }
    const index = this.index < 0 ? 0 : this.index + by;
    this.go(this.rows[Math.min(Math.max(index, 0), this.rows.length - 1)]?.row_id ?? null);
    if (this.index > this.rows.length - 10 && this.hasMore) void this.more();
  }

  go(rowId: number | null): void {
    this.currentKey = rowId;
    if (!this.isOpen) this.onfocus(rowId);
  }

  open(rowId: number): void {
    this.currentKey = rowId;
    this.isOpen = true;
  }

  /** Focus the current row after the viewer closes, and load postponed rows. */
  closed(): void {
    void this.move(0);
    if (!this.#isStale) return;
    this.#isStale = false;
    void this.load();
  }

  /** Correct a row or exclude it; `NO_ANSWER` removes the correction. */
  correct(row: PredictionRow, review: Review): Promise<void> {
    return this.#enqueue(async () => {
      // The row may have changed since the key was pressed.
      const { correction, excluded } = this.rows.find(({ row_id }) => row_id === row.row_id) ?? row;
      const before = { correction, excluded };
      if (isSameReview(review, before)) return;
      const request = { row_id: row.row_id, before, review };
      this.#corrections = [...this.#corrections, request];
      if (!(await this.#send(row.row_id, review)))
        this.#corrections = this.#corrections.filter((step) => step !== request);
    });
  }

  undo(): Promise<void> {
    return this.#enqueue(async () => {
      const last = this.#corrections.at(-1);
      if (!last) return;
      const isDone = await this.#send(last.row_id, last.before, last.review);
      if (isDone !== null) this.#corrections = this.#corrections.slice(0, -1);
      if (!isDone) return;
      notices.show(texts.predict.correctionRemoved);
      if (this.rows.some((row) => row.row_id === last.row_id)) this.go(last.row_id);
    });
  }

  /**
   * Send a correction. The result is false if the row has another correction, and null if the request can be
   * repeated.
   */
  async #send(rowId: number, review: Review, undoes: Review | null = null): Promise<boolean | null> {
    try {
      const after = await correctRow(this.id, rowId, review, undoes);
      this.rows = this.rows.map((row) => (row.row_id === rowId ? after : row));
      this.oncorrected();
      return true;
    } catch (error) {
      notices.showProblem(error);
      if (!(error instanceof Problem && error.status === 409)) return null;
      this.reloadSoon(); // the row has another correction
      return false;
    }
  }

  /**
   * Run the action of a key; the result is whether there is one. In a gallery, up and down move by a row of
   * `nColumns`.
   */
  key(event: KeyboardEvent, classes: readonly string[], nColumns: number): boolean {
    const act = actionOf(event, classes, nColumns);
    if (!act) return false;
    // The key is meant for the next image, which is still loading.
    if (this.#isLoadingNext && (act.kind === 'correct' || act.kind === 'clear')) return true;
    if ((act.kind === 'correct' || act.kind === 'clear') && !this.row)
      notices.show(texts.predict.selectFirst);
    else if (act.kind === 'correct' && this.row) {
      void this.correct(this.row, act.review);
      if (autoAdvance.isOn) void this.move(1);
    } else if (act.kind === 'clear' && this.row) void this.correct(this.row, NO_REVIEW);
    else if (act.kind === 'undo') void this.undo();
    else if (act.kind === 'move' && !this.isOpen) void this.move(act.by);
    else if (act.kind === 'open' && !this.isOpen && this.row) this.isOpen = true;
    else return false;
    return true;
  }
}
