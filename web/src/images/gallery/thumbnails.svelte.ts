// Thumbnails of a gallery, loaded in sheets of 64. A sheet may be of use after the order of the images changed.
import { SvelteMap } from 'svelte/reactivity';
import { PER_SHEET, placeOnSheet, SheetLoader, sheetsWanted, type SheetUrl } from './sheets';

/** CSS of one thumbnail on a sheet. */
export interface Tile {
  image: string;
  position: string;
  size: string;
}

interface Sheet {
  url: string; // URL of a blob
  tiles: Map<number, Tile>; // by row id
}

interface Shown {
  rows: Uint32Array; // row ids
  side: number; // in px
  url: SheetUrl;
}

export class Thumbnails {
  readonly #tiles = new SvelteMap<number, Tile>(); // by row id
  #rowsOf = new Map<string, number[]>(); // row ids of the wanted sheets, by address
  readonly #loader = new SheetLoader<Sheet>({
    load: (address, signal) => load(address, this.#rowsOf.get(address)!, signal),
    onloaded: (_, { tiles }) => tiles.forEach((tile, row) => this.#tiles.set(row, tile)),
    ondropped: (_, { url, tiles }) => {
      URL.revokeObjectURL(url);
      for (const [row, tile] of tiles) if (this.#tiles.get(row) === tile) this.#tiles.delete(row);
    },
  });

  constructor(private readonly shown: () => Shown) {}

  /** Load the thumbnails from `first` to `last`, and those ahead at this scroll speed in rows per second. */
  want(first: number, last: number, speed: number, columns: number): void {
    const { rows, side, url } = this.shown();
    const sheets = sheetsWanted(first, last, rows.length, speed, columns, this.#loader.latency);
    this.#rowsOf = new Map(
      sheets.map((sheet) => {
        const ofSheet = [...rows.subarray(sheet * PER_SHEET, (sheet + 1) * PER_SHEET)];
        return [url(ofSheet, side), ofSheet];
      }),
    );
    this.#loader.want([...this.#rowsOf.keys()]);
  }

  at(row: number): Tile | null {
    return this.#tiles.get(row) ?? null;
  }

  clear(): void {
    this.#loader.clear();
  }
}

async function load(address: string, rowIds: number[], signal: AbortSignal): Promise<Sheet> {
  const response = await fetch(address, { signal });
  if (!response.ok) throw new Error(response.statusText);
  const url = URL.createObjectURL(await response.blob());
  const image = new Image();
  image.src = url;
  await image.decode(); // otherwise a sheet is blank at its first paint
  const percent = (at: number, n: number) => (n > 1 ? `${(at / (n - 1)) * 100}%` : '50%');
  const tiles = rowIds.map((id, place): [number, Tile] => {
    const { columns, rows, column, row } = placeOnSheet(rowIds.length, place);
    const size = rowIds.length === 1 ? 'contain' : `${columns * 100}% ${rows * 100}%`;
    const position = `${percent(column, columns)} ${percent(row, rows)}`;
    return [id, { image: `url("${url}")`, position, size }];
  });
  return { url, tiles: new Map(tiles) };
}
