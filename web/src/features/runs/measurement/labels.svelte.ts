// Corrections of the labels of measured images, by buttons and keys. They are saved in the dataset of the images.
import { readDataset, undoLabels } from '../../../api/datasets';
import type { EvaluatedImages, PictureRow } from '../../../api/evaluations';
import type { Filters } from '../../../api/lists';
import { inOrderOf } from '../../../images/classes';
import { Corrections } from '../../../images/corrections.svelte';
import type { ImageList } from '../../../images/gallery/image_list.svelte';
import { actionOf } from '../../../images/gallery/keys';
import { resource } from '../../../state/resource.svelte';

/** Made by a component; `classes` are those of the classifier, whose order the keys have. */
export class LabelCorrections {
  readonly #corrected: Corrections<PictureRow, Filters>;
  readonly #dataset = resource(async (signal) =>
    this.images.datasetId ? readDataset(this.images.datasetId, signal) : null,
  );
  readonly datasetName = $derived(this.#dataset.value?.name ?? '');
  /** The classes of the dataset; null for those of the classifier that it does not have. */
  readonly classes = $derived.by(() =>
    inOrderOf(
      this.ofClassifier(),
      (this.#dataset.value?.classes ?? []).map(({ name }) => name),
    ),
  );

  constructor(
    private readonly images: EvaluatedImages,
    private readonly list: ImageList<PictureRow, Filters>,
    private readonly ofClassifier: () => string[],
  ) {
    this.#corrected = new Corrections(list, async (before, { correction }) => {
      const { row, change } = await images.correct(before.row_id, correction);
      const undo = async () => {
        await undoLabels(images.datasetId!, change!);
        return before;
      };
      return { row, undo: change === null ? null : undo };
    });
  }

  /** Correct the selected image; null removes the correction. */
  correct = (label: string | null): void => {
    const { item } = this.list;
    if (item) void this.#corrected.correct(item.row_id, { correction: label, excluded: null });
  };

  key = (event: KeyboardEvent): boolean => {
    const command = actionOf(event, this.classes.length);
    if (command?.act === 'undo') void this.#corrected.undo();
    else if (command?.act === 'assign') {
      const label = command.classIndex === null ? null : this.classes[command.classIndex]!;
      if (command.classIndex === null || label !== null) this.correct(label);
    } else return false;
    return true;
  };
}
