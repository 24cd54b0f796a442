// Corrections of the labels of measured images, by buttons and keys. They are saved in the dataset of the images.
import type { EvaluatedImages, PictureRow } from '../../../api/evaluations';
import type { Filters } from '../../../api/lists';
import type { ClassKeys } from '../../../images/classes';
import { Corrections } from '../../../images/corrections.svelte';
import type { ImageList } from '../../../images/gallery/image_list.svelte';
import { actionOf } from '../../../images/gallery/keys';

/** Labels are classes of the dataset, which may have classes that the classifier does not have. */
export class LabelCorrections {
  readonly #corrected: Corrections<PictureRow, Filters>;

  constructor(
    images: EvaluatedImages,
    private readonly list: ImageList<PictureRow, Filters>,
    readonly keys: () => ClassKeys,
  ) {
    this.#corrected = new Corrections(list, (row, { correction }) => images.correct(row, correction));
  }

  /** Correct the selected image; null removes the correction. */
  correct = (label: string | null): void => {
    const { item } = this.list;
    if (item) void this.#corrected.correct(item.row_id, { correction: label, excluded: null });
  };

  key = (event: KeyboardEvent): boolean => {
    const command = actionOf(event, this.keys(), this.keys().ofDataset);
    if (command?.act === 'undo' || command?.act === 'redo') void this.#corrected.step(command.act);
    else if (command?.act === 'assign') this.correct(command.label);
    else return false;
    return true;
  };
}
