import { expect, test } from 'vitest';
import { interval, pValue, percent, score, signed, withInterval } from '../src/texts/numbers';
import { keyMetrics, pageOf, shownMetrics, type Metric } from '../src/features/runs/compare/comparison';
import { isGoodShare } from '../src/features/runs/metrics';

const metric = (name: string, value: number | null, better: Metric['better']): Metric => ({
  name,
  title: name,
  meaning: '',
  better,
  scale: 'share',
  value,
  low: null,
  high: null,
  digits: 3,
  level: 0.95,
  method: '',
  reason: null,
  n_correct: null,
  n_images: null,
});
const row = (run: string, f1: number | null, ece: number) => ({
  run_id: run,
  name: run,
  is_evaluation: false,
  model: 'm',
  n: 1,
  classes: [],
  fit: { train_accuracy: null, train_f1: null, val_accuracy: null, val_f1: null },
  confusion: [],
  metrics: [metric('ece_excess', ece, 'lower'), metric('macro_f1', f1, 'higher')],
});

test('a number has a sign unless it rounds to zero', () => {
  const values = [0.0123, -0.5, 0, -0.0004, 0.0004, null];
  expect(values.map((value) => signed(value))).toEqual(['+0.012', '−0.500', '0.000', '0.000', '0.000', '–']);
  expect(values.map((value) => score(value))).toEqual(['0.012', '−0.500', '0.000', '0.000', '0.000', '–']);
  expect(interval(-0.0004, -0.0123)).toContain('0.000 to −0.012');
  expect(interval(-0.0004, -0.0123)).not.toContain('−0.000');
});

test('metrics with values are shown, metrics from 0 to 1 first', () => {
  const shown = shownMetrics([row('a', null, 0.02), row('b', 0.9, 0.05)]);
  expect(shown.map(({ name }) => name)).toEqual(['macro_f1', 'ece_excess']);
  expect(shown.map(isGoodShare)).toEqual([true, false]);
  expect(shownMetrics([row('a', null, 0.02)]).map(({ name }) => name)).toEqual(['ece_excess']);
});

test('trainings and evaluations have different addresses', () => {
  expect(pageOf(row('a b', 0.9, 0.02))).toBe('runs/a%20b');
  expect(pageOf({ ...row('e1', 0.9, 0.02), is_evaluation: true })).toBe('evaluations/e1');
});

test('a comparison has five key metrics, the primary metric first', () => {
  const names = [
    'accuracy',
    'balanced_accuracy',
    'macro_f1',
    'macro_precision',
    'macro_auroc',
    'ece_excess',
    'mcc',
  ];
  const metrics = names.map((name) => metric(name, 0.5, 'higher'));
  expect(keyMetrics(metrics, 'mcc').map(({ name }) => name)).toEqual([
    ...['mcc', 'macro_f1', 'accuracy', 'balanced_accuracy', 'macro_auroc'],
  ]);
  expect(keyMetrics(metrics, 'macro_f1')).toHaveLength(5);
});

test('numbers and intervals are formatted', () => {
  expect(withInterval(0.891, 0.85, 0.93)).toBe('0.891 (95% CI 0.850 to 0.930)');
  expect(withInterval(0.891, null, null)).toBe('0.891');
  expect(withInterval(null, null, null)).toBe('–');
  expect(interval(-0.012, 0.2)).toBe('95% CI −0.012 to 0.200');
  expect(interval(-0.012, 0.5)).toBe('95% CI −0.01 to 0.50'); // it is wide
  expect([0.881, 1, 0.9996].map((share) => percent(share))).toEqual(['88.1%', '100%', '99.9%']);
  expect([0.0004, 0.0341, 0.42, null].map(pValue)).toEqual([
    ...['p\u00a0<\u00a00.001', 'p\u00a0=\u00a00.034', 'p\u00a0=\u00a00.42', ''],
  ]);
});
