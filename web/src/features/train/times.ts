// The expected time of a training.
import type { PresetTime, TimePreview } from '../../api/datasets';
import { duration } from '../../texts/numbers';
import type { Texts } from '../../texts/en';

/** The expected time in words; empty if it is not known. */
export function expectedTime(
  preview: TimePreview | null,
  time: PresetTime | undefined,
  words: Texts['train']['time'],
): string {
  if (!preview || !time) return '';
  const parts = [words.about(roughDuration(time.seconds))];
  if (time.n_trainings > 1) parts.push(words.trainings(time.n_trainings));
  if (preview.has_pretraining) parts.push(words.pretraining);
  return parts.join(' ');
}

/** A duration with the precision of an estimate. */
export function roughDuration(seconds: number): string {
  const step = seconds < 55 ? 5 : seconds < 3600 ? 60 : 600;
  return duration(Math.max(step, Math.round(seconds / step) * step));
}
