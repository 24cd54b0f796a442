// The images of a gallery: their order at once, and what is known about each as it comes into sight.
import { SvelteMap } from 'svelte/reactivity';
import { listImages, listPositions, readColors, type Filters, type Image } from '../../api/datasets';
import { sequential } from '../../state/queue';
import { nUnknown } from './placeholders';

const CHUNK = 256;
const MOST_PER_PAGE = 2000;
const COLOR_RETRY_MS = [2000, 4000, 8000, 16_000, 30_000]; // while the server is still making them

export class ImageList {
  positions = $state.raw<number[] | null>(null);
  ids = $state.raw<string[]>([]); // of the same images, in the same order
  colors = $state.raw<Uint8Array | null>(null); // by place in the dataset
  problem = $state.raw<unknown>(null);
  readonly images = new SvelteMap<string, Image>(); // by image_id
  #filters: Filters = {};
  #requestedChunks = new Set<number>(); // chunks
  #sight: [number, number] = [0, -1];
  #nMoved = 0; // images whose label changed since the order was read: so far may the server's order be off
  #load = new AbortController();
  // What was asked for before the answer to a change may not know of it; the clock counts asking and answers.
  #clock = 0;
  #changes = new Map<string, { nWaiting: number; at: number }>(); // by image: changes on their way, the last tick
  /** Changes of labels wait for one another, and new filters for them: labels on their way decide what matches. */
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
        this.positions = positions; // else all stays
        this.ids = ids;
      }
      this.problem = null;
      this.#fill();
    } catch (problem) {
      if (!signal.aborted) this.problem = problem;
    }
  }

  /** Reload all: another client may have changed it. */
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

  /** Reload what is known about images. */
  refresh(): void {
    this.#requestedChunks.clear();
    this.#fill();
  }

  /** Show a new label at once, before the server has it; gives the images that showed another one. */
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

  /** The server has answered to a change of these images. */
  settle(images: string[]): void {
    this.#mark(images, -1);
  }

  /** Take back a label that the server did not keep. */
  restore(before: Image[], label: string | null): void {
    for (const image of before)
      if (this.images.get(image.image_id)?.label === label) this.images.set(image.image_id, image);
  }

  /** The server has changed labels of these images, such as by an undo. */
  changed(images: string[]): void {
    this.#nMoved += images.length;
    this.#mark(images, 0);
    this.refresh();
  }

  /** Colors are an ornament: without them cells are gray until their pictures come. */
  async #color(signal: AbortSignal): Promise<void> {
    let n = -1;
    for (const wait of COLOR_RETRY_MS) {
      try {
        const colors = await readColors(this.id, signal);
        if (signal.aborted) return;
        const left = nUnknown(colors);
        if (left !== n) this.colors = colors;
        if (left === 0 || left === n) return; // those that are left cannot be read
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
    const askedAt = this.#clock;
    // Labels given meanwhile may have moved images in the server's order: look that much further on both sides.
    const more = Math.min(this.#nMoved, (MOST_PER_PAGE - CHUNK) / 2);
    const offset = Math.max(0, chunk * CHUNK - more);
    try {
      const { items } = await listImages(this.id, this.#filters, offset, CHUNK + 2 * more);
      if (signal.aborted) return;
      for (const image of items) {
        const change = this.#changes.get(image.image_id);
        if (!change || (change.nWaiting === 0 && change.at <= askedAt))
          this.images.set(image.image_id, image);
      }
    } catch {
      setTimeout(() => this.#requestedChunks.delete(chunk), 2000); // the next look tries again
    }
  }
}
