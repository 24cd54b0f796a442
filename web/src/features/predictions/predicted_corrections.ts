// Corrections of a prediction: the server corrects all rows of an image, and the page shows all of them.
import { type Filters, imagesOfJob, type PredictionRow } from '../../api/lists';
import { correctRow } from '../../api/predictions';
import { Corrections } from '../../images/corrections.svelte';
import type { ImageList } from '../../images/gallery/image_list.svelte';
import { repeatsOf } from './corrections';

export function correctionsOf(id: string, list: ImageList<PredictionRow, Filters>) {
  async function show(correction: Promise<PredictionRow>): Promise<PredictionRow> {
    const row = await correction;
    const repeats = repeatsOf(row, list.items.values());
    if (repeats.length) list.put(await imagesOfJob(id).read(repeats));
    return row;
  }
  return new Corrections(list, async ({ row_id, correction, excluded }, review) => ({
    row: await show(correctRow(id, row_id, review)),
    undo: () => show(correctRow(id, row_id, { correction, excluded }, review)),
  }));
}
