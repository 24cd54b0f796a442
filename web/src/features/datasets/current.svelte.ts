// One set of images as the page knows it; while it is being read, it is asked for again.
import { readDataset, type Dataset } from '../../api/datasets';

const EVERY_MS = 800;

export class Current {
  dataset = $state.raw<Dataset | null>(null);
  problem = $state.raw<unknown>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(readonly id: string) {
    void this.load();
  }

  async load(): Promise<void> {
    clearTimeout(this.#timer);
    const known = this.dataset;
    try {
      const found = await readDataset(this.id);
      this.problem = null;
      if (this.dataset === known) this.set(found);
      else this.#again(); // another answer came meanwhile: this one may be older
    } catch (problem) {
      if (this.dataset === null) this.problem = problem;
      else this.#again(); // it answered before: it may do so again
    }
  }

  /** The newer state that another answer brought. */
  set(dataset: Dataset): void {
    this.dataset = dataset;
    if (dataset.state === 'reading') this.#again();
  }

  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #again(): void {
    clearTimeout(this.#timer);
    if (!this.#isOver) this.#timer = setTimeout(() => void this.load(), EVERY_MS);
  }
}
