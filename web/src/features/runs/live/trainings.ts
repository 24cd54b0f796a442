import type { RunDetail, Training } from '../../../api/runs';

/** A key that is unique among the trainings of a run: folds, the final training, and pretraining. */
export function keyOf(training: Training): string {
  return `${training.is_pretraining ? 'first' : 'own'}-${training.fold ?? 'all'}`;
}

/** The training of the final classifier on all images after cross-validation; undefined without folds. */
export function finalOf({
  n_folds,
  trainings,
}: Pick<RunDetail, 'n_folds' | 'trainings'>): Training | undefined {
  return n_folds ? trainings.find(({ fold, is_pretraining }) => fold === null && !is_pretraining) : undefined;
}

/** The latest instant classifier. With cross-validation, it is that of a fold until the final training. */
export function instantOf(run: Pick<RunDetail, 'n_folds' | 'trainings'>): Training['instant'] {
  const final = finalOf(run);
  if (final) return final.instant;
  return run.trainings.findLast(({ instant, is_pretraining }) => instant && !is_pretraining)?.instant ?? null;
}
