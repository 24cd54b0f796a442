// Which cells are chosen. Indices are places in the gallery (0-based); every step gives a new value.

export interface Selection {
  readonly chosen: ReadonlySet<number>;
  readonly anchor: number; // where a range begins
  readonly focus: number; // where keys act
}

export const nothing: Selection = { chosen: new Set(), anchor: 0, focus: 0 };

function range(a: number, b: number): number[] {
  const [from, to] = a < b ? [a, b] : [b, a];
  return Array.from({ length: to - from + 1 }, (_, k) => from + k);
}

/** A click: alone it chooses one; with Ctrl it adds or takes away one; with Shift it chooses a range. */
export function clicked(
  before: Selection,
  index: number,
  { isToggle = false, isRange = false }: { isToggle?: boolean; isRange?: boolean } = {},
): Selection {
  if (isRange) {
    const chosen = new Set([...(isToggle ? before.chosen : []), ...range(before.anchor, index)]);
    return { chosen, anchor: before.anchor, focus: index };
  }
  if (isToggle) {
    const chosen = new Set(before.chosen);
    if (!chosen.delete(index)) chosen.add(index);
    return { chosen, anchor: index, focus: index };
  }
  return { chosen: new Set([index]), anchor: index, focus: index };
}

/** The keyboard's focus moves: what was chosen is left, with Shift the range grows. */
export function moved(before: Selection, index: number, isRange: boolean): Selection {
  return clicked(before, index, { isRange });
}

export function all(before: Selection, n: number): Selection {
  return { ...before, chosen: new Set(Array.from({ length: n }, (_, k) => k)) };
}

export function cleared(before: Selection): Selection {
  return { ...before, chosen: new Set() };
}

/** Where work goes on after the chosen cells got their label: behind the last of them. */
export function advanced(before: Selection, n: number): Selection {
  let last = before.focus;
  for (const index of before.chosen) if (index > last) last = index;
  const next = Math.min(n - 1, last + 1);
  return { chosen: new Set([next]), anchor: next, focus: next };
}

/** The images that an action concerns: the selected ones and no others. */
export function concerned(selection: Selection, n: number): number[] {
  return [...selection.chosen].filter((k) => k < n).sort((a, b) => a - b);
}

/** The place where work goes on after images left the list: of the first one from `place` on that is still in it. */
export function remaining(before: readonly string[], place: number, after: readonly string[]): number {
  const listed = new Set(after);
  const next = before.slice(place).find((image) => listed.has(image));
  return next === undefined ? after.length - 1 : after.indexOf(next);
}
