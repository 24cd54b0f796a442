// Thumbnails of a gallery, loaded in sheets of 64.
import { SvelteMap } from 'svelte/reactivity';
import { PER_SHEET, SheetLoader, sheetsWanted } from './sheets';

/** Address of a picture with up to 64 thumbnails, eight per row. */
export type SheetUrl = (keys: number[], side: number) => string;

/** CSS of one thumbnail on a sheet. */
export interface Tile {
  image: string;
  position: string;
  size: string;
}

interface Sheet {
  url: string; // URL of a blob
  rows: number;
}

interface Shown {
  keys: ArrayLike<number>;
  side: number; // in px
  url: SheetUrl | null;
}

export class Thumbnails {
  readonly #sheets = new SvelteMap<number, Sheet>();
  readonly #loader = new SheetLoader<Sheet>({
    load: (sheet, signal) => this.#load(sheet, signal),
    onloaded: (sheet, value) => this.#sheets.set(sheet, value),
    ondropped: (sheet, value) => {
      URL.revokeObjectURL(value.url);
      if (this.#sheets.get(sheet) === value) this.#sheets.delete(sheet);
    },
  });

  constructor(private readonly shown: () => Shown) {}

  /** Load the thumbnails from `first` to `last`, and those ahead at this scroll speed in rows per second. */
  want(first: number, last: number, speed: number, columns: number): void {
    const { keys, url } = this.shown();
    if (url) this.#loader.want(sheetsWanted(first, last, keys.length, speed, columns, this.#loader.latency));
  }

  at(index: number): Tile | null {
    const sheet = this.#sheets.get(Math.floor(index / PER_SHEET));
    if (!sheet) return null;
    const place = index % PER_SHEET;
    const row = Math.floor(place / 8);
    return {
      image: `url("${sheet.url}")`,
      position: `${((place % 8) / 7) * 100}% ${sheet.rows > 1 ? (row / (sheet.rows - 1)) * 100 : 0}%`,
      size: `800% ${sheet.rows * 100}%`,
    };
  }

  clear(): void {
    this.#loader.clear();
  }

  async #load(sheet: number, signal: AbortSignal): Promise<Sheet> {
    const { keys, side, url } = this.shown();
    const sheetKeys = Array.prototype.slice.call(
      keys,
      sheet * PER_SHEET,
      (sheet + 1) * PER_SHEET,
    ) as number[];
    const response = await fetch(url!(sheetKeys, side), { signal });
    if (!response.ok) throw new Error(response.statusText);
    const blob = URL.createObjectURL(await response.blob());
    const image = new Image();
    image.src = blob;
    await image.decode(); // otherwise a sheet is blank at its first paint
    return { url: blob, rows: Math.max(1, Math.round((8 * image.naturalHeight) / image.naturalWidth)) };
  }
}
