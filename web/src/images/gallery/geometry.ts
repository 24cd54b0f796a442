// Layout of a gallery of equal cells, and visible rows.

export interface Layout {
  n: number; // number of cells
  columns: number;
  rows: number;
  pitch: number; // distance between rows, in px
  cell: number; // side of a picture without gaps, in px
}

/**
 * Columns of about `size` px that fill `width` px. Gaps take the rounding error. `below` is the height of the text
 * below each picture, in px.
 */
export function layOut(n: number, width: number, size: number, gap: number, below = 0): Layout {
  const columns = Math.max(1, Math.floor((width + gap) / (size + gap)));
  const cell = Math.max(1, Math.floor((width - gap * (columns - 1)) / columns));
  return { n, columns, rows: Math.ceil(n / columns), pitch: cell + below + gap, cell };
}

/** One column of pictures with text beside them. */
export const layOutList = (n: number, cell: number, gap: number): Layout => ({
  n,
  columns: 1,
  rows: n,
  pitch: cell + gap,
  cell,
});

/** The first and last row (inclusive) in a window of `height` px, with `more` rows on both sides. */
export function rowsInSight(layout: Layout, top: number, height: number, more = 0): [number, number] {
  const first = Math.floor(top / layout.pitch) - more;
  const last = Math.floor((top + height - 1) / layout.pitch) + more;
  return [Math.max(0, Math.min(first, layout.rows - 1)), Math.min(layout.rows - 1, Math.max(0, last))];
}

const MOST_PX = 15_000_000; // browsers limit the height of elements: Firefox to 17.9 million px, Chromium to 33.5

/** A scroll position in a list that is higher than its element. */
export interface Scrolled {
  shown: number; // `scrollTop` of the element, in px
  top: number; // distance from the top of the list, in px
}

/** The height of the element for a list of `length` px. */
export const shownLength = (length: number): number => Math.min(length, MOST_PX);

/** The length of the list for each px of the scroll bar; 1 if the element is as high as the list. */
export function scrollScale(length: number, height: number): number {
  return length <= MOST_PX ? 1 : (length - height) / (MOST_PX - height);
}

/**
 * The position after a scroll event. Small steps, such as those of a wheel, have the same size in the list;
 * others, such as those of the scroll bar, are in proportion to its length.
 */
export function scrolledFrom(before: Scrolled, shown: number, length: number, height: number): Scrolled {
  const scale = scrollScale(length, height);
  const step = shown - before.shown;
  const isInside = shown > 0 && shown < shownLength(length) - height;
  if (scale === 1) return { shown, top: shown };
  const top = !isInside || Math.abs(step) > 2 * height ? shown * scale : before.top + step;
  return { shown, top: Math.max(0, Math.min(length - height, top)) };
}

/** The nearest scroll position at which a cell is completely visible. */
export function scrolledTo(layout: Layout, index: number, top: number, height: number): number {
  const start = Math.floor(index / layout.columns) * layout.pitch;
  const end = start + layout.pitch;
  if (start < top) return start;
  if (end > top + height) return end - height;
  return top;
}

/** The cell that a key moves to, or null for other keys. */
export function movedBy(layout: Layout, index: number, key: string, rowsPerPage: number): number | null {
  const last = layout.n - 1;
  const step: Record<string, number> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -layout.columns,
    ArrowDown: layout.columns,
    PageUp: -layout.columns * Math.max(1, rowsPerPage),
    PageDown: layout.columns * Math.max(1, rowsPerPage),
  };
  if (key === 'Home') return 0;
  if (key === 'End') return last;
  const by = step[key];
  if (by === undefined) return null;
  const target = index + by;
  if (Math.abs(by) === layout.columns && (target < 0 || target > last)) return index; // stay in the same column
  return Math.max(0, Math.min(last, target));
}
