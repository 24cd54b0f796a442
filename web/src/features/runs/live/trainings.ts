import type { Training } from '../../../api/runs';

/** Tells the trainings of one run apart: folds, its own, a first one on other images. */
export function keyOf(training: Training): string {
  return `${training.is_pretraining ? 'first' : 'own'}-${training.fold ?? 'all'}`;
}
