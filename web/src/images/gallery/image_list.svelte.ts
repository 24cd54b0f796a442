// The images of a gallery: their order as row ids, and details of visible images. The first images of a long
// list are loaded before the others.
import { SvelteMap } from 'svelte/reactivity';
import {
  listRows,
  readColors,
  readImages,
  type Filters,
  type Image,
  type ImageSelection,
} from '../../api/datasets';
import { sequential } from '../../state/queue';
import { colorsOf, type Colors } from './placeholders';
import { isSelected, selectedIndices, type Selection } from './selection';

const FIRST = 2048; // images that are loaded before the others
const CHUNK = 256;
const COLOR_RETRY_MS = [2000, 4000, 8000, 16_000, 30_000]; // waiting times while the server computes colors

/** An unsaved change of labels, as the gallery shows it. */
export interface Relabeling {
  before: Image[]; // images that had another label
  rows: number[]; // row ids of the images whose details are marked as changed
}

export class ImageList {
  rows = $state.raw<Uint32Array | null>(null); // row ids in the order of the gallery
  order = $state(0); // increases when the order changes, but not when further images follow
  colors = $state.raw<Colors | null>(null);
  problem = $state.raw<unknown>(null);
  readonly images = new SvelteMap<number, Image>(); // by row id
  #filters: Filters = {};
  #matched: Filters = {}; // filters of `rows`; while others are loading, they differ from the requested ones
  #nImages = 0; // in the dataset
  #requestedChunks = new Set<number>(); // chunks that are loaded or loading
  #sight: [number, number] = [0, -1];
  #isRelabeled = false; // whether labels changed since the order was loaded, so that other images may match now
  #load = new AbortController();
  // A response to a request from before a change may be outdated. The clock counts requests and changes.
  #clock = 0;
  #changes = new Map<number, { nWaiting: number; at: number }>(); // by row id: number of unsaved changes, and clock of the last change
  /**
   * Changes of labels run one after another, and new filters wait for them, because labels determine which
   * images match.
   */
  readonly sequential = sequential();

  constructor(readonly id: string) {}

  /** Show the matching images of a dataset with `nImages` images. */
  async show(filters: Filters, nImages: number): Promise<void> {
    this.#load.abort();
    this.#load = new AbortController();
    const { signal } = this.#load;
    const isReload = this.rows !== null && JSON.stringify(filters) === JSON.stringify(this.#filters);
    this.#filters = filters;
    this.#nImages = nImages;
    try {
      await this.sequential(async () => {});
      const isShown = isReload && this.rows!.length > FIRST; // whether the first images are shown already
      const first = isShown ? null : await listRows(this.id, filters, FIRST, signal);
      if (signal.aborted) return;
      if (first) this.#arrange(first, filters);
      void this.#color(signal);
      if (first && first.length < FIRST) return;
      const rows = await listRows(this.id, filters, null, signal);
      if (!signal.aborted) this.#arrange(rows, filters);
    } catch (problem) {
      if (!signal.aborted) this.problem = problem;
    }
  }

  /** Reload everything, because another client may have changed it. */
  async reload(): Promise<void> {
    await this.show(this.#filters, this.#nImages);
  }

  at(index: number): Image | undefined {
    const row = this.rows?.[index];
    return row === undefined ? undefined : this.images.get(row);
  }

  see(first: number, last: number): void {
    this.#sight = [first, last];
    this.#fill();
  }

  /** Reload the details of visible images. */
  refresh(): void {
    this.#requestedChunks.clear();
    this.#fill();
  }

  /** The selected images for a request: all that match the filters but some, or a list. */
  selected(selection: Selection): ImageSelection {
    const rows = this.rows ?? new Uint32Array();
    // After a change of labels, the images in the gallery may differ from those that match.
    if (selection.isInverted && !this.#isRelabeled)
      return { filters: this.#matched, except_rows: [...selection.indices].map((index) => rows[index]!) };
    return { rows: selectedIndices(selection, rows.length).map((index) => rows[index]!) };
  }

  /** Show a new label of the selected images before the server saves it. */
  relabel(selection: Selection, label: string | null): Relabeling {
    const rows = this.#markedRows(selection);
    const before: Image[] = [];
    for (const row of rows) {
      const image = this.images.get(row);
      if (image && image.label !== label) {
        before.push(image);
        this.images.set(row, { ...image, label });
      }
    }
    this.#isRelabeled = true;
    this.#mark(rows, 1);
    return { before, rows };
  }

  /** The server responded to a change of labels. */
  settle({ rows }: Relabeling): void {
    this.#mark(rows, -1);
  }

  /** Show the earlier labels again, because the server did not save the change. */
  restore({ before }: Relabeling, label: string | null): void {
    for (const image of before)
      if (this.images.get(image.row_id)?.label === label) this.images.set(image.row_id, image);
  }

  /** The server changed labels of these images, and possibly of more, for example by an undo. */
  changed(rows: number[]): void {
    this.#isRelabeled = true;
    this.#mark(rows, 0);
    this.refresh();
  }

  #arrange(rows: Uint32Array, filters: Filters): void {
    this.#matched = filters;
    this.#requestedChunks.clear();
    this.#isRelabeled = false;
    const before = this.rows;
    const isContinued = before !== null && before.length && before.every((row, k) => row === rows[k]);
    if (!isContinued || before.length !== rows.length) this.rows = rows; // else nothing changed
    if (!isContinued) {
      this.order += 1;
      this.#sight = [0, Math.min(rows.length, CHUNK) - 1];
    }
    this.problem = null;
    this.#fill();
  }

  /** Selected images whose details may be shown: all of a list; of all matching images, those that were loaded. */
  #markedRows(selection: Selection): number[] {
    const rows = this.rows ?? new Uint32Array();
    if (!selection.isInverted) return selectedIndices(selection, rows.length).map((index) => rows[index]!);
    const marked: number[] = [];
    for (const chunk of this.#requestedChunks)
      for (let index = chunk * CHUNK; index < Math.min(rows.length, (chunk + 1) * CHUNK); index += 1)
        if (isSelected(selection, index)) marked.push(rows[index]!);
    return marked;
  }

  /** Load average colors. They are optional: without them, cells are gray until thumbnails are loaded. */
  async #color(signal: AbortSignal): Promise<void> {
    if (this.colors && this.colors.n >= this.#nImages) return;
    let n = -1;
    for (const wait of COLOR_RETRY_MS) {
      try {
        const colors = colorsOf(await readColors(this.id, signal));
        if (signal.aborted) return;
        if (colors.n !== n) this.colors = colors;
        if (colors.n >= this.#nImages || colors.n === n) return; // the remaining images cannot be read
        n = colors.n;
      } catch {
        if (signal.aborted) return;
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (signal.aborted) return;
    }
  }

  #mark(rows: number[], nMoreWaiting: number): void {
    const at = (this.#clock += 1);
    for (const row of rows)
      this.#changes.set(row, { nWaiting: (this.#changes.get(row)?.nWaiting ?? 0) + nMoreWaiting, at });
  }

  #fill(): void {
    const [first, last] = this.#sight;
    for (let chunk = Math.floor(first / CHUNK); chunk <= Math.floor(last / CHUNK); chunk += 1)
      if (!this.#requestedChunks.has(chunk)) void this.#fetch(chunk);
  }

  async #fetch(chunk: number): Promise<void> {
    const rows = this.rows?.slice(chunk * CHUNK, (chunk + 1) * CHUNK);
    if (!rows?.length) return;
    this.#requestedChunks.add(chunk);
    const { signal } = this.#load;
    const requestedAt = this.#clock;
    try {
      const { items } = await readImages(this.id, rows);
      for (const image of items) {
        const change = this.#changes.get(image.row_id);
        if (!change || (change.nWaiting === 0 && change.at <= requestedAt))
          this.images.set(image.row_id, image);
      }
    } catch {
      // The next scroll loads the chunk again.
      if (!signal.aborted) setTimeout(() => this.#requestedChunks.delete(chunk), 2000);
    }
  }
}
