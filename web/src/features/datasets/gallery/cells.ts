// What the cell of a dataset's image shows and says in a gallery.
import type { Image } from '../../../api/lists';
import type { CellInfo } from '../../../images/gallery/Cell.svelte';
import { texts } from '../../../texts';

export function cellOf(image: Image, name: string): CellInfo {
  const { gallery } = texts.datasets;
  const spoken = texts.general.gallery;
  const problem = image.is_excluded ? gallery.excluded : image.problem ? gallery.why[image.problem] : null;
  return {
    name,
    facts: [image.label ? spoken.ofClass(image.label) : spoken.unlabeled, problem],
    label: image.label,
    problem,
    isChanged: image.label_before !== null && image.label !== image.label_before,
  };
}
