// The selected epoch of fine-tuning and the rule of its selection.
import type { Training } from '../../../api/runs';
import { texts } from '../../../texts';

type Marked = { epoch: number; word: string } | null;

/**
 * The epoch to mark in the curves; null if it is not selected yet, or if the instant classifier is selected.
 */
export function markedEpoch(training: Training): Marked {
  const words = texts.runs.live;
  if (!training.selected_epoch || training.selected_stage === 'instant') return null;
  return { epoch: training.selected_epoch, word: training.selected_stage ? words.selected : words.best };
}

/** The selection in a sentence; empty before fine-tuning. */
export function selectionText(training: Training): string {
  const words = texts.runs.live.selection;
  const { selected_epoch, selected_stage, checkpoint_selection, n_epochs } = training;
  if (!training.epochs.length) return '';
  if (selected_stage === 'instant') return words.instant;
  if (selected_stage === 'finetune' && selected_epoch)
    return checkpoint_selection === 'last' ? words.last(selected_epoch) : words.best(selected_epoch);
  if (checkpoint_selection === 'last') return words.lastLater(n_epochs ?? training.epochs.length);
  return selected_epoch ? words.bestSoFar(selected_epoch) : '';
}
