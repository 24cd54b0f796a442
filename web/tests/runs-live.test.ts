import { expect, test } from 'vitest';
import { sentence, joined, MOST_LINES } from '../src/features/runs/live/log.svelte';
import {
  markedEpoch,
  selectionText,
  finalOf,
  instantOf,
  keyOf,
  byPrediction,
} from '../src/features/runs/live/trainings';
import type { LogLine, RunDetail, Training } from '../src/api/runs';

function line(n: number, event = 'Noted', values: Record<string, unknown> = {}): LogLine {
  return { n, time: 0, event, values };
}
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

test('lines that are received twice are added once', () => {
  const once = joined([], [line(2), line(5)]);
  expect(joined(once, [line(2), line(5)])).toBe(once);
  expect(joined(once, [line(5), line(7)]).map((one) => one.n)).toEqual([2, 5, 7]);
});

test('a long log keeps its last lines', () => {
  const many = Array.from({ length: MOST_LINES + 5 }, (_, k) => line(k + 1));
  expect(joined(many.slice(0, 10), many.slice(10)).map((one) => one.n)).toEqual(
    many.slice(5).map((one) => one.n),
  );
});

test('trainings of a run have unique keys', () => {
  const all = [training(null, true), training(1), training(2), training(null)];
  expect(new Set(all.map(keyOf)).size).toBe(4);
});

test('a line is a sentence; an unknown event is shown by its name', () => {
  const tested = { fold: 2, n_folds: 5, accuracy: 0.9, macro_f1: null };
  expect(sentence(line(1, 'FoldEnded', tested))).toBe('Fold 2 evaluated: accuracy 0.900, macro-F1 –');
  expect(sentence(line(1, 'EpochEnded', { epoch: 0, n_epochs: 3, val_f1: 0.4 }))).toBe(
    'Epoch 0, before fine-tuning: validation F1 0.400',
  );
  expect(sentence(line(1, 'RunEnded', { state: 'failed', reason: 'no disk' }))).toBe('Failed: no disk');
  expect(sentence(line(1, 'OfALaterCoverslip'))).toBe('OfALaterCoverslip');
  const unknown = { val_accuracy: null, val_macro_f1: null };
  expect(sentence(line(1, 'InstantClassifierFitted', unknown))).not.toContain('–');
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
});

test('lines of pretraining are marked', () => {
  const values = { n_train: 1260, n_val: 4, n_test: 5 };
  expect(sentence(line(1, 'RunStarted', values))).toMatch(/^1,260 training images/);
  expect(sentence(line(1, 'RunStarted', { ...values, is_pretraining: true }))).toMatch(/^Step 1 of 2/);
  const kept = { stage: 'finetune', epoch: 7, checkpoint_selection: 'best' };
  expect(sentence(line(1, 'ClassifierSelected', kept))).toContain('epoch 7');
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
  const called = byPrediction(watched);
  expect(called.map(({ name }) => name)).toEqual(['flat']);
  expect(called[0]?.images.map(({ id, isRight }) => [id, isRight])).toEqual([
    ['b', true],
    ['c', true],
    ['a', false],
  ]);
  expect(called[0]?.images[2]?.label).toBe('round');
});

test('folds have scores; the final classifier has its number of images and no scores', () => {
  const scores = { seconds: 1, val_accuracy: 0.9, val_macro_f1: 0.8 };
  const none = { seconds: 1, val_accuracy: null, val_macro_f1: null };
  const folds = [1, 2].map((k) => ({ ...training(k), instant: { ...scores, seconds: k } }));
  const during = { n_folds: 2, trainings: folds };
  expect([finalOf(during), instantOf(during)]).toEqual([undefined, folds[1]!.instant]);
  const last = { ...training(null), parts: { n_train: 720, n_val: 0, n_test: 0 } };
  const begun = { n_folds: 2, trainings: [...folds, last] };
  expect([finalOf(begun), instantOf(begun)]).toEqual([last, null]);
  expect(instantOf({ n_folds: 2, trainings: [...folds, { ...last, instant: none }] })).toEqual(none);
  expect(finalOf({ n_folds: 0, trainings: [last] })).toBeUndefined();
});
