// Giving classes to images: shown at once, kept on the server one change after the other, undone and done again.
import { redoLabels, setLabels, undoLabels, type Dataset } from '../api/datasets';
import { notices } from '../state/notices.svelte';
import { texts } from '../texts';
import { counted } from '../texts/numbers';
import type { ListedImages } from './gallery/listed.svelte';

const words = texts.datasets.gallery;
const ofImages = (n: number) => counted(n, texts.datasets.image, texts.datasets.images);

export class Labelling {
  nWaiting = $state(0); // changes that the server does not have yet
  #wayBack: number | undefined; // the notice whose button takes back the last change

  constructor(
    private readonly listed: ListedImages,
    private readonly onchange: (dataset: Dataset) => void,
  ) {}

  /** Give images a class, or take theirs away. It is shown at once, and taken back where it could not be kept. */
  async give(images: number[], label: string | null): Promise<void> {
    this.closeWayBack();
    const before = this.listed.relabel(images, label);
    if (images.length > 1) this.#offerWayBack(images.length, label);
    this.nWaiting += 1;
    await this.listed.inTurn(async () => {
      try {
        const answer = setLabels(this.listed.id, images, label);
        const { dataset } = await answer.finally(() => this.listed.settle(images));
        this.onchange(dataset);
        if (images.length > before.length) this.listed.refresh(); // some were not known here yet
      } catch (problem) {
        this.listed.restore(before, label);
        notices.fail(problem);
      } finally {
        this.nWaiting -= 1;
      }
    });
  }

  /** Take the last change back, or make it again; gives its images, none where there was nothing. */
  async step(by: 'undo' | 'redo'): Promise<number[]> {
    this.closeWayBack();
    const images = await this.listed.inTurn(() => this.#stepped(by));
    if (images.length) notices.say(words[by === 'undo' ? 'undone' : 'redone'](ofImages(images.length)));
    return images;
  }

  async #stepped(by: 'undo' | 'redo'): Promise<number[]> {
    try {
      const { images, dataset } = await (by === 'undo' ? undoLabels : redoLabels)(this.listed.id);
      this.onchange(dataset);
      this.listed.changed(images);
      return images;
    } catch (problem) {
      notices.fail(problem);
      return [];
    }
  }

  #offerWayBack(n: number, label: string | null): void {
    this.#wayBack = notices.say(words.given(ofImages(n), label ?? words.noClass), {
      title: texts.general.undo,
      run: () => void this.step('undo'),
      isOfPage: true,
    });
  }

  closeWayBack(): void {
    if (this.#wayBack !== undefined) notices.close(this.#wayBack);
    this.#wayBack = undefined;
  }
}
