import { expect, test } from 'vitest';
import {
  markedEpoch,
  selectionText,
  finalOf,
  keyOf,
  validatedInstant,
  byPrediction,
} from '../src/features/runs/live/trainings';
import type { Training } from '../src/api/runs';

function training(fold: number | null, is_pretraining = false): Training {
  return {
    fold,
    is_pretraining,
    parts: null,
    instant: null,
    n_epochs: null,
    epochs: [],
    checkpoint_selection: null,
    best_epoch: null,
    selected_epoch: null,
    selected_stage: null,
    has_early_dip: false,
    watched: null,
    tested: null,
  };
}

test('trainings of a run have unique keys', () => {
  const all = [training(null, true), training(1), training(2), training(null)];
  expect(new Set(all.map(keyOf)).size).toBe(4);
});

test('only the selected epoch is marked, with the rule of its selection', () => {
  const epoch = { epoch: 2 } as Training['epochs'][number];
  const last: Training = {
    ...training(null),
    epochs: [epoch],
    n_epochs: 18,
    checkpoint_selection: 'last',
    best_epoch: 2,
  };
  expect(markedEpoch(last)).toBeNull();
  expect(selectionText(last)).toContain('(18)');
  const done: Training = { ...last, selected_epoch: 18, selected_stage: 'finetune' };
  expect(markedEpoch(done)).toEqual({ epoch: 18, word: 'selected' });
  const best: Training = { ...last, checkpoint_selection: 'best', selected_epoch: 2 };
  expect(markedEpoch(best)).toEqual({ epoch: 2, word: 'best epoch so far' });
  expect(markedEpoch({ ...best, selected_stage: 'finetune' })?.word).toBe('selected');
  const instant: Training = { ...last, selected_stage: 'instant' };
  expect(markedEpoch(instant)).toBeNull();
  expect(new Set([last, done, best, instant].map(selectionText)).size).toBe(4);
  expect(selectionText({ ...last, epochs: [] })).toBe('');
  const whole = { ...instant, n_epochs: 2 };
  expect(selectionText(instant)).toContain('2 of 18 epochs');
  expect(selectionText(whole)).not.toContain('epochs,');
});

test('example images are grouped by predicted class, correct ones first', () => {
  const watched = {
    image_ids: ['a', 'b', 'c'],
    labels: [0, 1, 1],
    predicted: [1, 1, 1],
    classes: ['round', 'flat', 'long'],
    epoch: 2,
    n_right: [1, 2],
  };
  const called = byPrediction(watched, { a: 5, b: 6 });
  expect(called.map(({ name }) => name)).toEqual(['flat']);
  expect(called[0]?.images.map(({ id, row, isRight }) => [id, row, isRight])).toEqual([
    ['b', 6, true],
    ['c', null, true],
    ['a', 5, false],
  ]);
  expect(called[0]?.images[2]?.label).toBe('round');
});

test('folds have scores; the final classifier has its number of images and no scores', () => {
  const scores = { seconds: 1, val_accuracy: 0.9, val_macro_f1: 0.8 };
  const none = { seconds: 1, val_accuracy: null, val_macro_f1: null };
  const folds = [0.9, 0.7].map((val_accuracy, k) => ({
    ...training(k + 1),
    instant: { ...scores, val_accuracy, val_macro_f1: val_accuracy - 0.3 },
  }));
  const during = { n_folds: 2, trainings: folds };
  const ofFolds = { accuracy: expect.closeTo(0.8), macroF1: expect.closeTo(0.5), nFolds: 2 };
  expect(finalOf(during)).toBeUndefined();
  expect(validatedInstant(during)).toEqual(ofFolds);
  const last = { ...training(null), parts: { n_train: 720, n_val: 0, n_test: 0 } };
  const begun = { n_folds: 2, trainings: [...folds, last] };
  expect(finalOf(begun)).toBe(last);
  expect(validatedInstant({ n_folds: 2, trainings: [...folds, { ...last, instant: none }] })).toEqual(
    ofFolds,
  );
  expect(validatedInstant({ n_folds: 0, trainings: [{ ...last, instant: none }] })).toBeNull();
  expect(finalOf({ n_folds: 0, trainings: [last] })).toBeUndefined();
});
