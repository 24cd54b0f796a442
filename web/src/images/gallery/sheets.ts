// Thumbnails are loaded in sheets of 64: first the visible ones, then those ahead. Requests for sheets that
// were scrolled past are canceled.

export const PER_SHEET = 64;
const COLUMNS = 8;

/** Address of a picture with up to 64 thumbnails, eight per row, or fewer if there are fewer thumbnails. */
export type SheetUrl = (rows: number[], side: number) => string;

/** Columns and rows of a sheet of `n` thumbnails, and those of one of them (0-based). */
export function placeOnSheet(n: number, place: number) {
  const columns = Math.min(COLUMNS, n);
  return { columns, rows: Math.ceil(n / columns), column: place % COLUMNS, row: Math.floor(place / COLUMNS) };
}

/**
 * The sheets to load, most urgent first: those that will be visible when they arrive, those further ahead,
 * those visible now, and one behind. `speed` is in rows per second (negative: upwards), `latency` is the
 * loading time of a sheet in seconds.
 */
export function sheetsWanted(
  firstCell: number,
  lastCell: number,
  nCells: number,
  speed: number,
  columns: number,
  latency = 0,
): number[] {
  if (nCells === 0) return [];
  const last = Math.floor((nCells - 1) / PER_SHEET);
  const sheetOf = (cell: number) => Math.max(0, Math.min(last, Math.floor(cell / PER_SHEET)));
  const isDown = speed >= 0;
  const between = (a: number, b: number) =>
    Array.from({ length: b - a + 1 }, (_, k) => (isDown ? a + k : b - k));
  const passed = speed * columns * latency; // number of cells that are scrolled past before a sheet arrives
  const [from, to] = [sheetOf(firstCell + passed), sheetOf(lastCell + passed)];
  const ahead = Math.min(6, 2 + Math.ceil((Math.abs(speed) * columns * 0.5) / PER_SHEET));
  const wanted = [
    ...between(from, to),
    ...Array.from({ length: ahead }, (_, k) => (isDown ? to + k + 1 : from - k - 1)),
    ...between(sheetOf(firstCell), sheetOf(lastCell)),
    isDown ? from - 1 : to + 1,
  ];
  return [...new Set(wanted)].filter((sheet) => sheet >= 0 && sheet <= last);
}

export interface Loading<T> {
  load: (sheet: string, signal: AbortSignal) => Promise<T>;
  onloaded: (sheet: string, value: T) => void;
  ondropped: (sheet: string, value: T) => void;
  parallel?: number;
  keep?: number;
}

const RETRY_MS = 2000;

/** Loads sheets, few at a time, and caches the most recently used ones. */
export class SheetLoader<T> {
  #cache = new Map<string, T>();
  #running = new Map<string, AbortController>();
  #failed = new Map<string, number>(); // sheet → time of the failure, in ms
  #wanted: string[] = [];
  /** Recent loading time of a sheet, in seconds. */
  latency = 0.1;
  readonly #with: Required<Loading<T>>;

  constructor(options: Loading<T>) {
    this.#with = { parallel: 4, keep: 96, ...options };
  }

  get(sheet: string): T | undefined {
    return this.#cache.get(sheet);
  }

  /** Set the sheets to load, most urgent first. Requests for other sheets are canceled. */
  want(sheets: string[]): void {
    this.#wanted = sheets;
    const isWanted = new Set(sheets);
    for (const [sheet, controller] of this.#running) {
      if (!isWanted.has(sheet)) {
        this.#running.delete(sheet);
        controller.abort();
      }
    }
    for (const sheet of [...sheets].reverse()) {
      const value = this.#cache.get(sheet);
      if (value !== undefined) {
        this.#cache.delete(sheet);
        this.#cache.set(sheet, value); // mark as recently used
      }
    }
    this.#next();
  }

  /** Remove all sheets, for other images or another size. */
  clear(): void {
    this.#wanted = [];
    for (const controller of this.#running.values()) controller.abort();
    this.#running.clear();
    this.#failed.clear();
    for (const [sheet, value] of this.#cache) this.#with.ondropped(sheet, value);
    this.#cache.clear();
  }

  #next(): void {
    for (const sheet of this.#wanted) {
      if (this.#running.size >= this.#with.parallel) return;
      if (this.#cache.has(sheet) || this.#running.has(sheet)) continue;
      const failed = this.#failed.get(sheet);
      if (failed !== undefined && performance.now() - failed < RETRY_MS) continue;
      void this.#load(sheet);
    }
  }

  async #load(sheet: string): Promise<void> {
    const controller = new AbortController();
    this.#running.set(sheet, controller);
    const began = performance.now();
    try {
      const value = await this.#with.load(sheet, controller.signal);
      if (controller.signal.aborted) {
        this.#with.ondropped(sheet, value);
        return;
      }
      this.#running.delete(sheet);
      this.latency += 0.3 * ((performance.now() - began) / 1000 - this.latency);
      this.#cache.set(sheet, value);
      this.#with.onloaded(sheet, value);
      this.#drop();
    } catch {
      if (controller.signal.aborted) return;
      this.#running.delete(sheet);
      this.#failed.set(sheet, performance.now());
      setTimeout(() => this.#next(), RETRY_MS + 50);
    }
    this.#next();
  }

  #drop(): void {
    for (const [sheet, value] of this.#cache) {
      if (this.#cache.size <= this.#with.keep) return;
      if (this.#wanted.includes(sheet)) continue;
      this.#cache.delete(sheet);
      this.#with.ondropped(sheet, value);
    }
  }
}
