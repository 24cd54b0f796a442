// Keys, marks and colors of classes. A mark is the key of a class, and distinguishes classes with the same color.
import { createContext } from 'svelte';
import { namesOf, type Dataset } from '../api/datasets';

const MARKS = '1234567890abcdefghijklmnopqrstuvwxyz';
export const EXCLUDED = '#5c5c5c'; // the color of images that a user excluded

/**
 * The keys and colors of the classes on a page: those of the dataset whose images it shows, in its order, then other
 * classes, such as those of a classifier, which change no key of the dataset. A class whose name is a key has this key,
 * the others have the keys that are free. Classes after the 36th have a number and no key.
 */
export class ClassKeys {
  readonly ofDataset: readonly string[];
  readonly names: readonly string[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #marks: readonly string[];

  constructor(
    readonly dataset: Pick<Dataset, 'id' | 'name' | 'classes'> | null,
    readonly others: readonly string[] = [],
  ) {
    this.ofDataset = dataset ? namesOf(dataset) : [];
    this.names = [...new Set([...this.ofDataset, ...others])];
    this.#places = new Map(this.names.map((name, k) => [name, k]));
    const ofDataset = marksOf(this.ofDataset, []);
    this.#marks = [...ofDataset, ...marksOf(this.names.slice(ofDataset.length), ofDataset)];
  }

  /** Place of a class, which determines its color; −1 if it is not among the classes. */
  placeOf(name: string | null): number {
    return name === null ? -1 : (this.#places.get(name) ?? -1);
  }

  markOf(name: string): string {
    return this.#marks[this.placeOf(name)] ?? '';
  }

  /** The mark on an object in a field: the name if it has one or two characters, otherwise the key. */
  drawnMarkOf(name: string): string {
    return name.length <= 2 ? name : this.markOf(name);
  }

  /** The color of a class; of other names, a color that no class has. */
  colorOf(name: string): string {
    const place = this.placeOf(name);
    return place < 0 ? 'var(--line-strong)' : colorOf(place);
  }

  /** The class with this key, or null. */
  classOf(key: string): string | null {
    return key.length === 1 ? (this.names[this.#marks.indexOf(key.toLowerCase())] ?? null) : null;
  }
}

/** The marks of classes, without those that other classes have. */
function marksOf(names: readonly string[], taken: readonly string[]): string[] {
  const free = [...MARKS].filter((mark) => !taken.includes(mark));
  const keys = names.map((name) => name.toLowerCase());
  const rest = free.filter((mark) => !keys.includes(mark));
  return keys.map((key, k) =>
    free.includes(key) && keys.indexOf(key) === k ? key : (rest.shift() ?? String(taken.length + k + 1)),
  );
}

/** The keys of the classes on a page, which the page provides to its components. */
export const [getClassKeys, provideClassKeys] = createContext<() => ClassKeys>();

/** Mark of a name that is not a class, by its place. */
export function markOf(place: number): string {
  return MARKS[place] ?? String(place + 1);
}

export function colorOf(place: number): string {
  return `var(--class-${place % 8})`;
}

/** The colors of places as a canvas needs them: without variables of the page. */
export function canvasColors(places: readonly number[]): string[] {
  const probe = document.createElement('span');
  document.body.append(probe);
  const colors = places.map((place) => {
    probe.style.color = colorOf(place);
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return colors;
}

/** Colors and marks of classes as a canvas needs them. */
export function drawnClasses(
  keys: ClassKeys,
  names: readonly string[],
): { palette: string[]; marks: string[] } {
  return {
    palette: canvasColors(names.map((name) => keys.placeOf(name))),
    marks: names.map((name) => keys.drawnMarkOf(name)),
  };
}

/** Name of the CSS variable with the color of lines, which has more contrast than that of areas. */
export function lineColorOf(place: number): string {
  return `--class-${place % 8}-line`;
}

export function textColorOf(place: number): string {
  return `var(--class-${place % 8}-text)`;
}
