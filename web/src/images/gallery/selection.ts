// Selection of cells by their index in the gallery (0-based). Functions return a new selection.

export interface Selection {
  readonly indices: ReadonlySet<number>; // the selected cells, or the others
  readonly isInverted: boolean; // whether all cells but `indices` are selected
  readonly anchor: number; // start of a range
  readonly focus: number; // cell that keys act on
}

export const emptySelection: Selection = { indices: new Set(), isInverted: false, anchor: 0, focus: 0 };

function* range(a: number, b: number): Generator<number> {
  for (let index = Math.min(a, b); index <= Math.max(a, b); index += 1) yield index;
}

export const isSelected = ({ indices, isInverted }: Selection, index: number): boolean =>
  indices.has(index) !== isInverted;

/** Number of selected cells among `n`. */
export const nSelected = ({ indices, isInverted }: Selection, n: number): number =>
  isInverted ? n - indices.size : indices.size;

/** Click on a cell. A click selects one cell; Ctrl adds or removes it; Shift selects a range. */
export function clicked(
  before: Selection,
  index: number,
  { isToggle = false, isRange = false }: { isToggle?: boolean; isRange?: boolean } = {},
): Selection {
  const { isInverted, anchor } = before;
  if (!isToggle) {
    const indices = new Set(isRange ? range(anchor, index) : [index]);
    return { indices, isInverted: false, anchor: isRange ? anchor : index, focus: index };
  }
  const indices = new Set(before.indices);
  if (isRange) {
    for (const each of range(anchor, index))
      if (isInverted) indices.delete(each);
      else indices.add(each);
    return { indices, isInverted, anchor, focus: index };
  }
  if (!indices.delete(index)) indices.add(index);
  return { indices, isInverted, anchor: index, focus: index };
}

export function all(before: Selection): Selection {
  return { ...before, indices: new Set(), isInverted: true };
}

export function cleared(before: Selection): Selection {
  return { ...before, indices: new Set(), isInverted: false };
}

/** Select the cell after the last selected one, after the selected cells were labeled. */
export function advanced(before: Selection, n: number): Selection {
  let last = before.isInverted ? n - 1 : before.focus;
  if (!before.isInverted) for (const index of before.indices) if (index > last) last = index;
  return clicked(before, Math.min(n - 1, last + 1));
}

/** Index of the first selected cell among `n`; null if none is selected. */
export function firstSelected(selection: Selection, n: number): number | null {
  if (!nSelected(selection, n)) return null;
  const { indices, isInverted } = selection;
  let first = isInverted ? 0 : n;
  if (isInverted) while (indices.has(first)) first += 1;
  else for (const index of indices) first = Math.min(first, index);
  return first < n ? first : null;
}

/** Indices of the selected cells, sorted. */
export function selectedIndices(selection: Selection, n: number): number[] {
  if (!selection.isInverted) return [...selection.indices].filter((k) => k < n).sort((a, b) => a - b);
  return Array.from({ length: n }, (_, k) => k).filter((k) => !selection.indices.has(k));
}

/**
 * The selection of the same images after the list of row ids changed: an image that was not in the list is not
 * selected, also if all others are. If the image with the focus is no longer in the list, the next one that is gets
 * the focus.
 */
export function moved(selection: Selection, before: Uint32Array, after: Uint32Array): Selection {
  const rows = new Set<number | undefined>([...selection.indices].map((index) => before[index]));
  const earlier = selection.isInverted ? new Set(before) : null;
  const indices = new Set<number>();
  if (rows.size || earlier)
    after.forEach((row, index) => {
      if (rows.has(row) || (earlier && !earlier.has(row))) indices.add(index);
    });
  const listed = new Set(after);
  const next = before.slice(selection.focus).find((row) => listed.has(row));
  const focus = Math.max(0, next === undefined ? after.length - 1 : after.indexOf(next));
  return { ...selection, indices, anchor: focus, focus };
}
