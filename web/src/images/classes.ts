// Keys, marks and colors of classes. A mark is the key of a class, and distinguishes classes with the same color.
import { createContext } from 'svelte';
import { namesOf, type Dataset } from '../api/datasets';

const MARKS = '1234567890abcdefghijklmnopqrstuvwxyz';
export const EXCLUDED = '#5c5c5c'; // the color of images that a user excluded

/**
 * The keys and colors of the classes on a page: those of the dataset whose images it shows, in its order, then other
 * classes, such as those of a classifier. A class whose name is a key has this key, the others have the keys that are
 * free. Classes after the 36th have a number and no key.
 */
export class ClassKeys {
  readonly ofDataset: readonly string[];
  readonly names: readonly string[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #marks: readonly string[];

  constructor(
    readonly dataset: Pick<Dataset, 'name' | 'classes'> | null,
    others: readonly string[] = [],
  ) {
    this.ofDataset = dataset ? namesOf(dataset) : [];
    this.names = [...new Set([...this.ofDataset, ...others])];
    this.#places = new Map(this.names.map((name, k) => [name, k]));
    const keys = this.names.map((name) => name.toLowerCase());
    const hasOwn = (key: string, k: number) =>
      key.length === 1 && MARKS.includes(key) && keys.indexOf(key) === k;
    const free = [...MARKS].filter((mark) => !keys.includes(mark));
    this.#marks = keys.map((key, k) => (hasOwn(key, k) ? key : (free.shift() ?? String(k + 1))));
  }

  /** Place of a class, which determines its color; −1 if it is not among the classes. */
  placeOf(name: string | null): number {
    return name === null ? -1 : (this.#places.get(name) ?? -1);
  }

  markOf(name: string): string {
    return this.#marks[this.placeOf(name)] ?? '';
  }

  colorOf(name: string): string {
    return colorOf(Math.max(0, this.placeOf(name)));
  }

  /** The class with this key, or null. */
  classOf(key: string): string | null {
    return key.length === 1 ? (this.names[this.#marks.indexOf(key.toLowerCase())] ?? null) : null;
  }
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

/** Name of the CSS variable with the color of lines, which has more contrast than that of areas. */
export function lineColorOf(place: number): string {
  return `--class-${place % 8}-line`;
}

export function textColorOf(place: number): string {
  return `var(--class-${place % 8}-text)`;
}
