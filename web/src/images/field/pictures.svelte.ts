// The pictures of objects that are drawn instead of their outlines, loaded in the sheets of galleries.
import { PER_SHEET, placeOnSheet, SheetLoader, type SheetUrl } from '../gallery/sheets';
import type { FieldObjects } from './objects';

/** A picture on a sheet, in px of the sheet. */
export interface Picture {
  sheet: ImageBitmap;
  x: number;
  y: number;
  width: number;
  height: number;
}

const SIDES = [64, 128]; // px on a sheet; the server makes both of the thumbnails that it stores for galleries
const SHEETS = 48; // kept: up to 4 MB each

export class Pictures {
  /** Changes when pictures arrive. */
  version = $state(0);
  readonly #of = new Map<number, Picture>(); // by row id
  readonly #addressOf = new Map<number, string>(); // of the newest sheet with a row id
  readonly #rowsOf = new Map<string, number[]>(); // by address
  #side = 0;
  readonly #loader = new SheetLoader<ImageBitmap>({
    load: async (address, signal) => {
      const response = await fetch(address, { signal });
      if (!response.ok) throw new Error(response.statusText);
      return createImageBitmap(await response.blob());
    },
    onloaded: (address, sheet) => {
      const rowIds = this.#rowsOf.get(address)!;
      rowIds.forEach((row, k) => {
        const place = placeOnSheet(rowIds.length, k);
        const [width, height] = [sheet.width / place.columns, sheet.height / place.rows];
        this.#of.set(row, { sheet, x: place.column * width, y: place.row * height, width, height });
      });
      this.version += 1;
    },
    ondropped: (address, sheet) => {
      for (const row of this.#rowsOf.get(address)!) {
        if (this.#of.get(row)?.sheet === sheet) this.#of.delete(row);
        if (this.#addressOf.get(row) === address) this.#addressOf.delete(row);
      }
      this.#rowsOf.delete(address);
      sheet.close();
    },
    keep: SHEETS,
  });

  constructor(private readonly url: SheetUrl) {}

  /** Load the pictures of these row ids for this side on the screen. */
  want(rowIds: readonly number[], px: number): void {
    const side = SIDES.find((each) => each >= px) ?? SIDES.at(-1)!;
    if (side !== this.#side) this.#addressOf.clear(); // pictures of the other side are shown until these arrive
    this.#side = side;
    const missing = rowIds.filter((row) => !this.#addressOf.has(row));
    for (let first = 0; first < missing.length; first += PER_SHEET) {
      const ofSheet = missing.slice(first, first + PER_SHEET);
      const address = this.url(ofSheet, side);
      this.#rowsOf.set(address, ofSheet);
      for (const row of ofSheet) this.#addressOf.set(row, address);
    }
    this.#loader.want([...new Set(rowIds.map((row) => this.#addressOf.get(row)!))]);
  }

  at(row: number): Picture | null {
    return this.#of.get(row) ?? null;
  }

  end(): void {
    this.#loader.clear();
  }
}

const LEAST_PX = 24; // of a cell
const MOST_PX = 160; // of a picture
const SHARE = 0.88; // of a cell that its picture fills

/**
 * The objects whose pictures are drawn, and the side of these in units of the field: of each cell of a grid on the
 * field a selected object, else that nearest to its center. Pictures do not overlap: those of fuller cells precede.
 * Cells are halved as the field is enlarged, so that the same pictures stay.
 */
export function spread(
  objects: FieldObjects,
  seen: readonly number[],
  scale: number,
  selected: Uint8Array,
): { chosen: number[]; side: number } {
  const cell = 2 ** Math.ceil(Math.log2(Math.max(LEAST_PX / scale, objects.side)));
  const side = Math.min(SHARE * cell, MOST_PX / scale);
  const keyOf = (column: number, row: number) => row * 65_536 + column;
  const cells = new Map<number, { k: number; distance: number; n: number; column: number; row: number }>();
  for (const k of seen) {
    const [x, y] = [objects.centerX(k) / cell, objects.centerY(k) / cell];
    const [column, row] = [Math.floor(x), Math.floor(y)];
    const distance = Math.hypot(x - column - 0.5, y - row - 0.5) - selected[k]!;
    const known = cells.get(keyOf(column, row));
    if (!known) cells.set(keyOf(column, row), { k, distance, n: 1, column, row });
    else {
      known.n += 1;
      if (distance < known.distance) [known.k, known.distance] = [k, distance];
    }
  }
  const taken = new Map<number, number>();
  for (const { k, column, row } of [...cells.values()].sort((a, b) => b.n - a.n)) {
    let isFree = true;
    for (let at = 0; at < 9 && isFree; at += 1) {
      const other = taken.get(keyOf(column + (at % 3) - 1, row + Math.floor(at / 3) - 1));
      isFree =
        other === undefined ||
        Math.abs(objects.centerX(k) - objects.centerX(other)) >= side ||
        Math.abs(objects.centerY(k) - objects.centerY(other)) >= side;
    }
    if (isFree) taken.set(keyOf(column, row), k);
  }
  return { chosen: [...taken.values()], side };
}
