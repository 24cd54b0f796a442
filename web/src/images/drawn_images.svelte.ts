// Images that are drawn at random and labeled without their predictions or earlier labels.
import { notices } from '../state/notices.svelte';
import { afterSaving, saving } from '../state/queue';
import { resource } from '../state/resource.svelte';

interface Requests<Drawing> {
  read: (signal: AbortSignal) => Promise<Drawing>; // after all labels are saved
  draw: (n: number) => Promise<Drawing>;
  remove: () => Promise<unknown>; // for good, with the labels
  key?: () => string; // of whom the images are, if not of everybody
}

type ImageOf<Drawing extends { images: unknown[] }> = Drawing['images'][number];

/** Made by a component. `Drawing` is the answer of the server, with the images. */
export class DrawnImages<Drawing extends { images: { row_id: number; made: string | null }[] }> {
  readonly drawing = resource((signal) => this.requests.read(signal), {
    key: () => this.requests.key?.() ?? null,
  });
  readonly images: ImageOf<Drawing>[] = $derived(this.drawing.value?.images ?? []);
  readonly nLabeled = $derived(this.images.filter(({ made }) => made !== null).length);
  #enqueue = saving();

  constructor(private readonly requests: Requests<Drawing>) {}

  draw = (n: number) =>
    notices.attempt(async () => this.drawing.set(await afterSaving(() => this.requests.draw(n))));

  remove = () =>
    notices.attempt(async () => {
      await this.requests.remove();
      await this.drawing.reload();
    });

  /** Labels are shown at once and saved one after another. If one cannot be saved, the saved ones are read again. */
  label(labeled: ImageOf<Drawing>, save: () => Promise<unknown>): void {
    const isReading = this.drawing.loading; // showing the label cancels this
    this.#show(labeled);
    void this.#enqueue(async () => {
      try {
        await save();
        if (!isReading) return;
      } catch (problem) {
        notices.showProblem(problem);
      }
      void this.drawing.reload();
    });
  }

  #show(image: ImageOf<Drawing>): void {
    const { value } = this.drawing;
    if (!value) return;
    const images = value.images.map((each) => (each.row_id === image.row_id ? image : each));
    this.drawing.set({ ...value, images });
  }
}
