// Which epoch of fine-tuning is kept, and by which rule.
import type { Training } from '../../../api/runs';
import { texts } from '../../../texts';

type Marked = { epoch: number; word: string } | null;

/** The one epoch to mark; none while the last one is still to come, or where the instant classifier is kept. */
export function markedEpoch(training: Training): Marked {
  const words = texts.runs.live;
  if (!training.kept_epoch || training.kept_stage === 'instant') return null;
  return { epoch: training.kept_epoch, word: training.kept_stage ? words.kept : words.best };
}

/** The rule in a sentence; empty before fine-tuning. */
export function selectionText(training: Training): string {
  const words = texts.runs.live.selection;
  const { kept_epoch, kept_stage, checkpoint_selection, n_epochs } = training;
  if (!training.epochs.length) return '';
  if (kept_stage === 'instant') return words.instant;
  if (kept_stage === 'finetune' && kept_epoch)
    return checkpoint_selection === 'last' ? words.last(kept_epoch) : words.best(kept_epoch);
  if (checkpoint_selection === 'last') return words.lastLater(n_epochs ?? training.epochs.length);
  return kept_epoch ? words.bestSoFar(kept_epoch) : '';
}
