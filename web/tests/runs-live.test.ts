import { expect, test } from 'vitest';
import { sentence } from '../src/pages/runs/lines';
import { after, afterAll, empty, type Line } from '../src/pages/runs/live';

let n = 0;
function line(event: string, more: Record<string, unknown> = {}): Line {
  n += 1;
  return { n, time: 0, event, ...more };
}
function epoch(k: number, more: Record<string, unknown> = {}): Line {
  return line('EpochEnded', {
    epoch: k,
    n_epochs: 3,
    is_best: false,
    train_loss: 1 / k,
    val_f1: 0.5,
    ...more,
  });
}

test('a run is rebuilt from its lines: parts, first numbers, epochs, where it is', () => {
  const live = afterAll(empty(), [
    line('RunStarted', { n_train: 6, n_val: 2, n_test: 2, classes: ['a', 'b'] }),
    line('StageStarted', { stage: 'instant', n_epochs: 0 }),
    line('HeadFitted', { seconds: 2, val_accuracy: 0.9, val_macro_f1: 0.8 }),
    line('StageStarted', { stage: 'finetune', n_epochs: 3 }),
    epoch(1),
    line('StepEnded', {
      epoch: 2,
      step: 3,
      n_steps: 4,
      epoch_seconds_left: 1,
      seconds_left: 9,
      images_per_second: 5,
    }),
  ]);
  expect(live.parts).toEqual({ train: 6, val: 2, test: 2 });
  expect(live.trainings).toHaveLength(1);
  expect(live.trainings[0]?.head).toEqual({ accuracy: 0.9, f1: 0.8, seconds: 2 });
  expect(live.trainings[0]?.epochs.map((e) => e.epoch)).toEqual([1]);
  expect(live.step).toMatchObject({ epoch: 2, step: 3, nSteps: 4 });
  expect(live.nEpochs).toBe(3);
});

test('lines that come twice, as after a lost connection, change nothing', () => {
  const lines = [line('StageStarted', { stage: 'finetune', n_epochs: 3 }), epoch(1), epoch(2)];
  const once = afterAll(empty(), lines);
  expect(afterAll(once, lines)).toBe(once);
});

test('an epoch that is done again after going on takes the place of what came before', () => {
  const live = afterAll(empty(), [epoch(1), epoch(2), epoch(3), epoch(2, { val_f1: 0.7 })]);
  expect(live.trainings[0]?.epochs.map((e) => [e.epoch, e.val_f1])).toEqual([
    [1, 0.5],
    [2, 0.7],
  ]);
});

test('the network that fine-tuning starts from is epoch 0, and is said so', () => {
  const start = epoch(0, { train_loss: null, seconds_left: null, val_f1: 0.4 });
  const live = afterAll(empty(), [start, epoch(1)]);
  expect(live.trainings[0]?.epochs.map((e) => [e.epoch, e.train_loss])).toEqual([
    [0, null],
    [1, 1],
  ]);
  expect(sentence(start)).toBe('Before the first epoch: validation F1 0.400');
});

test('folds are trainings of their own', () => {
  const live = afterAll(empty(), [
    line('FoldStarted', { fold: 1, n_folds: 2 }),
    epoch(1, { fold: 1 }),
    line('FoldEnded', { fold: 1, n_folds: 2, accuracy: 0.9, macro_f1: 0.8 }),
    line('FoldStarted', { fold: 2, n_folds: 2 }),
    epoch(1, { fold: 2 }),
    epoch(1),
  ]);
  expect(live.nFolds).toBe(2);
  expect(live.trainings.map((t) => [t.key, t.epochs.length, t.tested?.f1 ?? null])).toEqual([
    ['fold-1', 1, 0.8],
    ['fold-2', 1, null],
    ['main', 1, null],
  ]);
  expect(live.now).toBe('main');
});

test('progress is no news for the log, an unknown event is', () => {
  const live = [
    line('Progressed', { stage: 'predicting', done: 1, total: 2, unit: 'images' }),
    line('SomethingNew'),
  ].reduce(after, empty());
  expect(live.lines.map((one) => one.event)).toEqual(['SomethingNew']);
  expect(live.work).toMatchObject({ done: 1, total: 2 });
});
