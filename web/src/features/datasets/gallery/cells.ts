// What the cell of a dataset's image shows and says in a gallery.
import type { Image } from '../../../api/lists';
import type { CellInfo } from '../../../images/gallery/Cell.svelte';
import { texts } from '../../../texts';

export function cellOf(image: Image, name: string, isLive = false): CellInfo {
  const { gallery } = texts.datasets;
  const spoken = texts.general.gallery;
  const problem = image.is_excluded ? gallery.excluded : image.problem ? gallery.why[image.problem] : null;
  return {
    name,
    facts: [
      image.label
        ? spoken.ofClass(image.label)
        : image.predicted === null
          ? spoken.unlabeled
          : spoken.predictedAs(image.predicted),
      problem,
    ],
    label: image.label,
    predicted: image.label === null ? image.predicted : null,
    isRinged: isLive,
    problem,
    isChanged: image.label_before !== null && image.label !== image.label_before,
  };
}
