// Corrections of a prediction by buttons and keys. The server corrects all rows of an image, and the page shows all of them.
import { imagesOfJob, type Filters, type PredictionRow } from '../../api/lists';
import { correctRow, type Review } from '../../api/predictions';
import type { ClassKeys } from '../../images/classes';
import { Corrections, NO_REVIEW } from '../../images/corrections.svelte';
import type { ImageList } from '../../images/gallery/image_list.svelte';
import { actionOf } from '../../images/gallery/keys';
import { autoAdvance } from '../../state/auto_advance.svelte';
import { notices } from '../../state/notices.svelte';
import { texts } from '../../texts';
import { repeatsOf } from './rows';

export function correctionsOf(
  id: string,
  list: ImageList<PredictionRow, Filters>,
  keys: () => ClassKeys,
  classes: () => readonly string[],
  onhelp: () => void,
) {
  const corrected = new Corrections(
    list,
    (row, answer) => correctRow(id, row, answer),
    async (row) => {
      const repeats = repeatsOf(row, list.items.values());
      if (repeats.length) list.put(await imagesOfJob(id).read(repeats));
    },
  );

  function review(answer: Review): void {
    if (list.current === null) notices.show(texts.predict.selectFirst);
    else void corrected.correct(list.rows![list.current]!, answer);
  }

  function key(event: KeyboardEvent): boolean {
    const command = actionOf(event, keys(), classes());
    if (command?.act === 'help') onhelp();
    else if (command?.act === 'undo' || command?.act === 'redo') void corrected.step(command.act);
    else if (command?.act === 'assign' && command.label === null) review(NO_REVIEW);
    else if (command?.act === 'assign' || command?.act === 'exclude') {
      review(
        command.act === 'exclude'
          ? { correction: null, excluded: command.reason }
          : { correction: command.label, excluded: null },
      );
      if (list.current !== null && autoAdvance.isOn) list.advance();
    } else return false;
    return true;
  }
  return { review, key };
}
