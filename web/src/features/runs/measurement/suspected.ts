// The suspected label errors of a training as rows of a result: images of its dataset, with the suggested class.
import { changeImages } from '../../../api/datasets';
import type { ComputationState } from '../../../api/computations';
import { type Filters, type Image, imagesOfDataset, type PredictionRow } from '../../../api/lists';
import type { CorrectedRow, Review } from '../../../api/predictions';
import type { Source } from '../../../images/gallery/image_list.svelte';

interface Suspected {
  source: Source<PredictionRow, Filters>;
  save: (row: number, review: Review) => Promise<CorrectedRow>;
}

export function suspectedImages(
  run: string,
  dataset: string,
  { images }: ComputationState<'label-errors'>,
): Suspected {
  const list = imagesOfDataset(dataset);
  const suggested = new Map(images.map(({ image_id, suggested }) => [image_id, suggested]));
  const before = new Map<number, string | null>(); // labels when the page was opened, by row

  function asRow({ row_id, image_id, path, label, group }: Image): PredictionRow {
    if (!before.has(row_id)) before.set(row_id, label);
    const questioned = before.get(row_id)!;
    return {
      ...{ row_id, image_id, path, group, image: row_id },
      label: questioned,
      predicted: suggested.get(image_id) ?? null,
      correction: label === questioned ? null : label,
      // What only measured images have.
      ...{ first_row: null, decision: '', probability: null, probabilities: {}, prediction_set: null },
      ...{ excluded: null, reason: null, warning: null, ood_score: null, cells: {} },
      ...{ is_confirmed: false, corrected_by: null, file_sha256: null },
    };
  }
  const read = async (rows: ArrayLike<number>) => (await list.read(rows)).map(asRow);

  return {
    source: { ...list, read },
    save: async (row, { correction }) => {
      const label = correction ?? before.get(row)!;
      const { change } = await changeImages(dataset, { rows: [row] }, { label, job_id: run });
      const [after] = await read([row]);
      return { row: after!, change };
    },
  };
}
