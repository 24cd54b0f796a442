// Drawn images, whose labels are shown at once and saved one after another.
import { notices } from '../../state/notices.svelte';
import { saving } from '../../state/queue';
import { resource } from '../../state/resource.svelte';

/** Made by a component. `Drawing` is the answer of the server, with the images; `key` is of whom they are. */
export class DrawnImages<Image extends { row_id: number }, Drawing extends { images: Image[] }> {
  readonly drawing = resource((signal) => this.read(signal), { key: () => this.key() });
  readonly images: Image[] = $derived(this.drawing.value?.images ?? []);
  #enqueue = saving();

  constructor(
    private readonly read: (signal: AbortSignal) => Promise<Drawing>, // after all labels are saved
    private readonly key: () => string,
  ) {}

  /** Show an image with its new label and save it. If it cannot be saved, the saved labels are read again. */
  label(labeled: Image, save: () => Promise<unknown>): void {
    const { value, loading: isReading } = this.drawing; // showing the label cancels the request
    if (!value) return;
    const images = value.images.map((each) => (each.row_id === labeled.row_id ? labeled : each));
    this.drawing.set({ ...value, images });
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
}
