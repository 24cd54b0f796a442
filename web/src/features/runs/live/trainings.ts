import type { RunDetail, Training } from '../../../api/runs';

/** Tells the trainings of one run apart: folds, its own, a first one on other images. */
export function keyOf(training: Training): string {
  return `${training.is_pretraining ? 'first' : 'own'}-${training.fold ?? 'all'}`;
}

/** The training of the final classifier on all images, once all folds are trained; none without folds. */
export function finalOf({
  n_folds,
  trainings,
}: Pick<RunDetail, 'n_folds' | 'trainings'>): Training | undefined {
  return n_folds ? trainings.find(({ fold, is_pretraining }) => fold === null && !is_pretraining) : undefined;
}

/** The latest instant classifier: of a fold, until the final classifier is trained. */
export function instantOf(run: Pick<RunDetail, 'n_folds' | 'trainings'>): Training['instant'] {
  const final = finalOf(run);
  if (final) return final.instant;
  return run.trainings.findLast(({ instant, is_pretraining }) => instant && !is_pretraining)?.instant ?? null;
}
