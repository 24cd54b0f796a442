// How a class is shown: one of eight colors, and a mark that tells apart what colors can't. The mark is its key.

const MARKS = '1234567890abcdefghijklmnopqrstuvwxyz';

/** The character of class `index` (0-based); beyond 36 classes it is a number without a key. */
export function markOf(index: number): string {
  return MARKS[index] ?? String(index + 1);
}

/** The class that a key stands for, or null. */
export function classOfKey(key: string, nClasses: number): number | null {
  const index = key.length === 1 ? MARKS.indexOf(key.toLowerCase()) : -1;
  return index >= 0 && index < nClasses ? index : null;
}

export function colorOf(index: number): string {
  return `var(--class-${index % 8})`;
}

export function textColorOf(index: number): string {
  return `var(--class-${index % 8}-text)`;
}
