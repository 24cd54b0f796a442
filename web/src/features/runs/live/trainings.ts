// The trainings of a run: keys, selected epochs, and example predictions.
import type { RunDetail, Training } from '../../../api/runs';
import { texts } from '../../../texts';

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

/**
 * The results of the instant classifier on validation images; with cross-validation, the means of the folds so far. The
 * final training has no such images. Null: none yet.
 */
export function validatedInstant({ n_folds, trainings }: Pick<RunDetail, 'n_folds' | 'trainings'>) {
  const measured = trainings.flatMap(({ instant, is_pretraining }) =>
    instant && instant.val_accuracy !== null && !is_pretraining ? [instant] : [],
  );
  if (!measured.length) return null;
  const mean = (values: readonly (number | null)[]) =>
    values.reduce<number>((sum, value) => sum + (value ?? 0), 0) / measured.length;
  return {
    accuracy: mean(measured.map((each) => each.val_accuracy)),
    macroF1: mean(measured.map((each) => each.val_macro_f1)),
    nFolds: n_folds ? measured.length : 0,
  };
}

type MarkedEpoch = { epoch: number; word: string } | null;

/**
 * The epoch to mark in the curves; null if it is not selected yet, or if the instant classifier is selected.
 */
export function markedEpoch(training: Training): MarkedEpoch {
  const words = texts.runs.live;
  if (!training.selected_epoch || training.selected_stage === 'instant') return null;
  return { epoch: training.selected_epoch, word: training.selected_stage ? words.selected : words.best };
}

/** The selection in a sentence; empty before fine-tuning. */
export function selectionText(training: Training): string {
  const words = texts.runs.live.selection;
  const { selected_epoch, selected_stage, checkpoint_selection, n_epochs } = training;
  const last = training.epochs.at(-1)?.epoch;
  if (last === undefined) return '';
  if (selected_stage === 'instant') return words.instant(last, n_epochs ?? last);
  if (selected_stage === 'finetune' && selected_epoch)
    return checkpoint_selection === 'last' ? words.last(selected_epoch) : words.best(selected_epoch);
  if (checkpoint_selection === 'last') return words.lastLater(n_epochs ?? last);
  return selected_epoch ? words.bestSoFar(selected_epoch) : '';
}

interface WatchedImage {
  id: string;
  row: number | null; // in the dataset; null: unknown
  label: string;
  isRight: boolean;
}
export interface PredictedClass {
  k: number; // index of the class
  name: string;
  images: WatchedImage[]; // images with this predicted class, correct ones first
}

/** The example images grouped by predicted class, without empty classes. */
export function byPrediction(
  watched: NonNullable<Training['watched']>,
  rows: Readonly<Record<string, number>>,
): PredictedClass[] {
  const { image_ids, labels, predicted, classes } = watched;
  const images = image_ids.map((id, i) => ({
    id,
    row: rows[id] ?? null,
    label: classes[labels[i] ?? 0] ?? '',
    isRight: labels[i] === predicted[i],
    k: predicted[i],
  }));
  return classes
    .map((name, k) => ({
      k,
      name,
      images: images
        .filter((image) => image.k === k)
        .sort((a, b) => Number(b.isRight) - Number(a.isRight))
        .map(({ id, row, label, isRight }) => ({ id, row, label, isRight })),
    }))
    .filter(({ images }) => images.length > 0);
}
