// Selection of cells by their index in the gallery (0-based). Functions return a new selection.

export interface Selection {
  readonly indices: ReadonlySet<number>;
  readonly anchor: number; // start of a range
  readonly focus: number; // cell that keys act on
}

export const emptySelection: Selection = { indices: new Set(), anchor: 0, focus: 0 };

function range(a: number, b: number): number[] {
  const [from, to] = a < b ? [a, b] : [b, a];
  return Array.from({ length: to - from + 1 }, (_, k) => from + k);
}

/** Click on a cell. A click selects one cell; Ctrl adds or removes it; Shift selects a range. */
export function clicked(
  before: Selection,
  index: number,
  { isToggle = false, isRange = false }: { isToggle?: boolean; isRange?: boolean } = {},
): Selection {
  if (isRange) {
    const indices = new Set([...(isToggle ? before.indices : []), ...range(before.anchor, index)]);
    return { indices, anchor: before.anchor, focus: index };
  }
  if (isToggle) {
    const indices = new Set(before.indices);
    if (!indices.delete(index)) indices.add(index);
    return { indices, anchor: index, focus: index };
  }
  return { indices: new Set([index]), anchor: index, focus: index };
}

/** Move the focus and select the cell; Shift extends the range. */
export function moved(before: Selection, index: number, isRange: boolean): Selection {
  return clicked(before, index, { isRange });
}

export function all(before: Selection, n: number): Selection {
  return { ...before, indices: new Set(Array.from({ length: n }, (_, k) => k)) };
}

export function cleared(before: Selection): Selection {
  return { ...before, indices: new Set() };
}

/** Select the cell after the last selected one, after the selected cells were labeled. */
export function advanced(before: Selection, n: number): Selection {
  let last = before.focus;
  for (const index of before.indices) if (index > last) last = index;
  const next = Math.min(n - 1, last + 1);
  return { indices: new Set([next]), anchor: next, focus: next };
}

/** Indices of the selected cells, sorted. */
export function selectedIndices(selection: Selection, n: number): number[] {
  return [...selection.indices].filter((k) => k < n).sort((a, b) => a - b);
}

/**
 * Index of the image to select after images left the list: the first one from `place` on that is still in the
 * list.
 */
export function remaining(before: readonly string[], place: number, after: readonly string[]): number {
  const listed = new Set(after);
  const next = before.slice(place).find((image) => listed.has(image));
  return next === undefined ? after.length - 1 : after.indexOf(next);
}
