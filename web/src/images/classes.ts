// Colors and marks of classes. Marks distinguish classes with the same color, and are their keys.

const MARKS = '1234567890abcdefghijklmnopqrstuvwxyz';
export const EXCLUDED = '#5c5c5c'; // the color of images that a user excluded

/** Mark of the class with this index (0-based). Classes after the 36th have a number and no key. */
export function markOf(index: number): string {
  return MARKS[index] ?? String(index + 1);
}

/** Index of the class with this key, or null. */
export function classOfKey(key: string, nClasses: number): number | null {
  const index = key.length === 1 ? MARKS.indexOf(key.toLowerCase()) : -1;
  return index >= 0 && index < nClasses ? index : null;
}

/**
 * The labels of a dataset in the order of a classifier's classes, so that a class has one mark and one key; null: a class
 * without images. Other labels follow.
 */
export function inOrderOf(classes: readonly string[], labels: readonly string[]): (string | null)[] {
  const others = labels.filter((label) => !classes.includes(label));
  return [...classes.map((name) => (labels.includes(name) ? name : null)), ...others];
}

export function colorOf(index: number): string {
  return `var(--class-${index % 8})`;
}

/** The color of the class with each index as a canvas needs it: without variables of the page. */
export function classColors(indices: readonly number[]): string[] {
  const probe = document.createElement('span');
  document.body.append(probe);
  const colors = indices.map((index) => {
    probe.style.color = colorOf(index);
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return colors;
}

/** Name of the CSS variable with the color of lines, which has more contrast than that of areas. */
export function lineColorOf(index: number): string {
  return `--class-${index % 8}-line`;
}

export function textColorOf(index: number): string {
  return `var(--class-${index % 8}-text)`;
}

/** Dash pattern of the line of a class, because there are only eight colors. */
export function classDash(index: number): string {
  return ['', '6 3', '2 3', '8 3 2 3', '1 2'][Math.floor(index / 8) % 5] ?? '';
}
