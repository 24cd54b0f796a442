import { expect, test } from 'vitest';
import { best } from '../src/pages/runs/comparing';

const row = (run: string, f1: number | null, ece: number) => ({
  run,
  name: run,
  model: 'm',
  n: 1,
  classes: [],
  metrics: { macro_f1: { value: f1, low: null, high: null }, ece: { value: ece, low: null, high: null } },
});

test('the best is the highest score, and the lowest error; equals have none', () => {
  const rows = [row('a', 0.8, 0.02), row('b', 0.9, 0.05), row('c', null, 0.05)];
  expect(best(rows, 'macro_f1')).toBe('b');
  expect(best(rows, 'ece')).toBe('a');
  expect(best([row('a', 0.8, 1), row('b', 0.8, 1)], 'macro_f1')).toBeNull();
});
