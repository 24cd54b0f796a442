// The images of a gallery. Their order is loaded at once, details of visible images when they are needed.
import { SvelteMap } from 'svelte/reactivity';
import { listImages, listPositions, readColors, type Filters, type Image } from '../../api/datasets';
import { sequential } from '../../state/queue';
import { nMissing } from './placeholders';

const CHUNK = 256;
const MOST_PER_PAGE = 2000;
const COLOR_RETRY_MS = [2000, 4000, 8000, 16_000, 30_000]; // waiting times while the server computes colors

export class ImageList {
  positions = $state.raw<number[] | null>(null);
  ids = $state.raw<string[]>([]); // image ids in the same order as `positions`
  colors = $state.raw<Uint8Array | null>(null); // by position in the dataset
  problem = $state.raw<unknown>(null);
  readonly images = new SvelteMap<string, Image>(); // by image id
  #filters: Filters = {};
  #requestedChunks = new Set<number>(); // chunks that are loaded or loading
  #sight: [number, number] = [0, -1];
  #nMoved = 0; // number of images relabeled since the order was loaded, by which the order of the server can differ
  #load = new AbortController();
  // A response to a request from before a change may be outdated. The clock counts requests and changes.
  #clock = 0;
  #changes = new Map<string, { nWaiting: number; at: number }>(); // by image id: number of unsaved changes, and clock of the last change
  /**
   * Changes of labels run one after another, and new filters wait for them, because labels determine which
   * images match.
   */
  readonly sequential = sequential();

  constructor(readonly id: string) {}

  async show(filters: Filters): Promise<void> {
    this.#load.abort();
    this.#load = new AbortController();
    const { signal } = this.#load;
    this.#filters = filters;
    void this.#color(signal);
    try {
      await this.sequential(async () => {});
      const { items: positions, image_ids: ids } = await listPositions(this.id, filters, signal);
      if (signal.aborted) return;
      this.#requestedChunks.clear();
      this.#nMoved = 0;
      this.#sight = [0, Math.min(positions.length, CHUNK) - 1];
      if (JSON.stringify([positions, ids]) !== JSON.stringify([this.positions, this.ids])) {
        this.positions = positions; // do not reset the gallery if nothing changed
        this.ids = ids;
      }
      this.problem = null;
      this.#fill();
    } catch (problem) {
      if (!signal.aborted) this.problem = problem;
    }
  }

  /** Reload everything, because another client may have changed it. */
  async reload(): Promise<void> {
    await this.show(this.#filters);
  }

  at(index: number): Image | undefined {
    const id = this.ids[index];
    return id === undefined ? undefined : this.images.get(id);
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

  /** Show a new label before the server saves it. The result is the images that had another label. */
  relabel(images: string[], label: string | null): Image[] {
    const before: Image[] = [];
    for (const id of images) {
      const image = this.images.get(id);
      if (image && image.label !== label) {
        before.push(image);
        this.images.set(id, { ...image, label });
      }
    }
    this.#nMoved += images.length;
    this.#mark(images, 1);
    return before;
  }

  /** The server responded to a change of these images. */
  settle(images: string[]): void {
    this.#mark(images, -1);
  }

  /** Show the earlier labels again, because the server did not save the change. */
  restore(before: Image[], label: string | null): void {
    for (const image of before)
      if (this.images.get(image.image_id)?.label === label) this.images.set(image.image_id, image);
  }

  /** The server changed labels of these images, for example by an undo. */
  changed(images: string[]): void {
    this.#nMoved += images.length;
    this.#mark(images, 0);
    this.refresh();
  }

  /** Load average colors. They are optional: without them, cells are gray until thumbnails are loaded. */
  async #color(signal: AbortSignal): Promise<void> {
    let n = -1;
    for (const wait of COLOR_RETRY_MS) {
      try {
        const colors = await readColors(this.id, signal);
        if (signal.aborted) return;
        const left = nMissing(colors);
        if (left !== n) this.colors = colors;
        if (left === 0 || left === n) return; // the remaining images cannot be read
        n = left;
      } catch {
        if (signal.aborted) return;
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (signal.aborted) return;
    }
  }

  #mark(images: string[], nMoreWaiting: number): void {
    const at = (this.#clock += 1);
    for (const id of images)
      this.#changes.set(id, { nWaiting: (this.#changes.get(id)?.nWaiting ?? 0) + nMoreWaiting, at });
  }

  #fill(): void {
    const [first, last] = this.#sight;
    for (let chunk = Math.floor(first / CHUNK); chunk <= Math.floor(last / CHUNK); chunk += 1)
      if (!this.#requestedChunks.has(chunk)) void this.#fetch(chunk);
  }

  async #fetch(chunk: number): Promise<void> {
    this.#requestedChunks.add(chunk);
    const { signal } = this.#load;
    const requestedAt = this.#clock;
    // New labels may have moved images in the order of the server, so the request includes more rows on both
    // sides.
    const more = Math.min(this.#nMoved, (MOST_PER_PAGE - CHUNK) / 2);
    const offset = Math.max(0, chunk * CHUNK - more);
    try {
      const { items } = await listImages(this.id, this.#filters, offset, CHUNK + 2 * more);
      if (signal.aborted) return;
      for (const image of items) {
        const change = this.#changes.get(image.image_id);
        if (!change || (change.nWaiting === 0 && change.at <= requestedAt))
          this.images.set(image.image_id, image);
      }
    } catch {
      setTimeout(() => this.#requestedChunks.delete(chunk), 2000); // the next scroll loads the chunk again
    }
  }
}
