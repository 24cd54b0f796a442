import { expect, test } from 'vitest';
import { best, isGoodShare, shownMetrics, type Measured } from '../src/features/runs/comparing';

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
  metrics: [metric('ece', ece, 'lower'), metric('macro_f1', f1, 'higher')],
});

test('the best is the highest score, and the lowest error; equals have none', () => {
  const rows = [row('a', 0.8, 0.02), row('b', 0.9, 0.05), row('c', null, 0.05)];
  expect(best(rows, metric('macro_f1', null, 'higher'))).toBe('b');
  expect(best(rows, metric('ece', null, 'lower'))).toBe('a');
  expect(best([row('a', 0.8, 1), row('b', 0.8, 1)], metric('macro_f1', null, 'higher'))).toBeNull();
});

test('what the server sends is shown, scores first, and nothing that no training has', () => {
  const shown = shownMetrics([row('a', null, 0.02), row('b', 0.9, 0.05)]);
  expect(shown.map(({ name }) => name)).toEqual(['macro_f1', 'ece']);
  expect(shown.map(isGoodShare)).toEqual([true, false]);
  expect(shownMetrics([row('a', null, 0.02)]).map(({ name }) => name)).toEqual(['ece']);
});
