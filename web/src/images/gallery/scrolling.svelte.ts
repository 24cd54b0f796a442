// Scroll state of a gallery: which rows exist, and when visible cells are reported.
import { tick } from 'svelte';
import {
  layOut,
  layOutList,
  rowsInSight,
  scrolledFrom,
  scrolledTo,
  scrollScale,
  shownLength,
  type Layout,
  type Scrolled,
} from './geometry';

const GAP = 4; // between cells, in px
const EDGE = 4; // space for the focus ring, in px
const THROTTLE_MS = 50; // throttled, not debounced, so that thumbnails load during scrolling
const DELAY_MS = 150;

interface Cells {
  n: number;
  size: number; // approximate side of a picture, in px
  below: number; // height of the text below each picture, in px
  isList: boolean; // one column, with text beside the pictures
}

export class Scrolling {
  frame = $state.raw<HTMLElement>();
  width = $state(0);
  height = $state(0);
  #at = $state.raw<Scrolled>({ shown: 0, top: 0 });
  #speed = 0; // rows per second
  #reportedAt = 0; // time of the last report, in ms
  #reportTimer: ReturnType<typeof setTimeout> | undefined;
  #scrolled = { at: 0, top: 0 };
  #restTimer: ReturnType<typeof setTimeout> | undefined;

  /** `onvisible` receives the first and last visible cell, and the scroll speed in rows per second. */
  constructor(
    private readonly cells: () => Cells,
    private readonly onvisible: (first: number, last: number, speed: number) => void,
  ) {}

  readonly layout: Layout = $derived.by(() => {
    const { n, size, below, isList } = this.cells();
    return isList ? layOutList(n, size, GAP) : layOut(n, this.width - 2 * EDGE, size, GAP, below);
  });
  readonly #inSight = $derived.by(() => rowsInSight(this.layout, this.#at.top - EDGE, this.height, 1));
  readonly #length = $derived.by(() => this.layout.rows * this.layout.pitch + 2 * EDGE - GAP); // of all rows, in px
  /** Height of the element of all rows, in px. */
  readonly length = $derived.by(() => shownLength(this.#length));
  readonly rowsPerPage = $derived.by(() => Math.floor(this.height / this.layout.pitch));

  /** Visible rows and the row of the focused cell, which must exist to keep the focus. */
  rows(focus: number): number[] {
    const [first, last] = this.#inSight;
    const rows = Array.from({ length: Math.max(0, last - first + 1) }, (_, k) => first + k);
    const focused = Math.floor(focus / this.layout.columns);
    if (this.layout.n && (focused < first || focused > last) && focused < this.layout.rows)
      rows.push(focused);
    return rows;
  }

  isInSight(cell: number): boolean {
    const [first, last] = this.#inSight;
    const row = Math.floor(cell / this.layout.columns);
    return first <= row && row <= last;
  }

  /** Distance of a row from the top of the element, in px. */
  offset(row: number): number {
    return row * this.layout.pitch + EDGE + this.#at.shown - this.#at.top;
  }

  /** Report the visible cells soon. */
  report(): void {
    if (this.#reportTimer !== undefined) return;
    const wait = Math.max(0, THROTTLE_MS - (performance.now() - this.#reportedAt));
    this.#reportTimer = setTimeout(() => {
      this.#reportTimer = undefined;
      this.#reportedAt = performance.now();
      const [first, last] = this.#inSight;
      const { columns, n } = this.layout;
      const to = Math.min(n, (last + 1) * columns) - 1;
      if (to >= first * columns) this.onvisible(first * columns, to, this.#speed);
    }, wait);
  }

  scrolled(): void {
    const at = performance.now();
    this.#at = scrolledFrom(this.#at, this.frame!.scrollTop, this.#length, this.height);
    const { top } = this.#at;
    if (at > this.#scrolled.at + 8) {
      this.#speed = (((top - this.#scrolled.top) / this.layout.pitch) * 1000) / (at - this.#scrolled.at);
      this.#scrolled = { at, top };
    }
    this.report();
    clearTimeout(this.#restTimer);
    this.#restTimer = setTimeout(() => {
      this.#speed = Math.sign(this.#speed);
      if (scrollScale(this.#length, this.height) !== 1) this.#to(this.#at.top); // small steps moved the scroll bar too far
      this.report();
    }, DELAY_MS);
  }

  /** Scroll to the first cell. */
  toStart(): void {
    this.#to(0);
  }

  /** Scroll to a cell by the smallest distance. */
  to(index: number): void {
    this.#to(scrolledTo(this.layout, index, this.#at.top, this.height - 2 * EDGE));
  }

  /** Keep the same cells visible after the size of cells changed. */
  async relaid(before: Layout): Promise<void> {
    const cell = Math.floor(this.#at.top / before.pitch) * before.columns;
    await tick();
    this.#to(Math.floor(cell / this.layout.columns) * this.layout.pitch);
  }

  end(): void {
    clearTimeout(this.#reportTimer);
    clearTimeout(this.#restTimer);
  }

  #to(top: number): void {
    if (!this.frame) return;
    const scale = scrollScale(this.#length, this.height);
    this.frame.scrollTop = top / scale;
    const shown = this.frame.scrollTop;
    this.#at = { shown, top: scale === 1 ? shown : Math.max(0, Math.min(this.#length - this.height, top)) };
  }
}
