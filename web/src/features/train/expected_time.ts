// Expected time of a training as text.
import type { TimePreview } from '../../api/datasets';
import { duration } from '../../texts/numbers';
import type { train } from '../../texts/train';

/** Empty without an estimate or with a time limit. */
export function expectedTime(
  time: TimePreview | null,
  budget: string | null,
  words: (typeof train)['time'],
): string {
  if (!time || budget) return '';
  const parts = [
    time.seconds === null ? words.unknown : words.about(duration(roughly(time.seconds)), time.basis ?? ''),
  ];
  if (time.n_trainings > 1) parts.push(words.trainings(time.n_trainings));
  if (time.has_pretraining) parts.push(words.pretraining);
  return parts.join(' ');
}

/** Round to the precision of an estimate. */
function roughly(seconds: number): number {
  const step = seconds < 55 ? 5 : seconds < 3600 ? 60 : 600;
  return Math.max(step, Math.round(seconds / step) * step);
}
