import { expect, test } from 'vitest';
import { isGoodShare, shownMetrics, signed, type Measured } from '../src/features/runs/compare/comparing';

const metric = (name: string, value: number | null, better: Measured['better']): Measured => ({
  name,
  title: name,
  meaning: '',
  better,
  scale: 'share',
  value,
  low: null,
  high: null,
  level: 0.95,
  method: '',
  reason: null,
});
const row = (run: string, f1: number | null, ece: number) => ({
  run_id: run,
  name: run,
  model: 'm',
  n: 1,
  classes: [],
  fit: { train_accuracy: null, train_f1: null, val_accuracy: null, val_f1: null },
  confusion: [],
  metrics: [metric('ece', ece, 'lower'), metric('macro_f1', f1, 'higher')],
});

test('a difference has a sign, also where it rounds to nothing', () => {
  expect([0.0123, -0.5, 0, null].map((value) => signed(value))).toEqual(['+0.012', '−0.500', '+0.000', '–']);
});

test('what the server sends is shown, scores first, and nothing that no training has', () => {
  const shown = shownMetrics([row('a', null, 0.02), row('b', 0.9, 0.05)]);
  expect(shown.map(({ name }) => name)).toEqual(['macro_f1', 'ece']);
  expect(shown.map(isGoodShare)).toEqual([true, false]);
  expect(shownMetrics([row('a', null, 0.02)]).map(({ name }) => name)).toEqual(['ece']);
});
