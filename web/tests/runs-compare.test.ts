import { expect, test } from 'vitest';
import { interval, metricWords, pValue, percent, score, signed } from '../src/texts/numbers';
import type { MetricValue } from '../src/api/evaluations';
import { pageOf } from '../src/features/runs/compare/pages';

test('a number has a sign unless it rounds to zero', () => {
  const values = [0.0123, -0.5, 0, -0.0004, 0.0004, null];
  expect(values.map((value) => signed(value))).toEqual(['+0.012', '−0.500', '0.000', '0.000', '0.000', '–']);
  expect(values.map((value) => score(value))).toEqual(['0.012', '−0.500', '0.000', '0.000', '0.000', '–']);
  expect(interval(-0.0004, -0.0123)).toContain('0.000 to −0.012');
  expect(interval(-0.0004, -0.0123)).not.toContain('−0.000');
});

test('a calibration error whose interval contains 0 has only an upper end', () => {
  const error = { value: -0.031, low: -0.06, high: 0.07, n_images: 60, is_bound: true } as MetricValue;
  expect(metricWords(error)).toEqual({ value: '≤\u00a00.070', interval: '' });
  expect(metricWords({ ...error, is_bound: false }).value).toBe('−0.031');
});

test('trainings and evaluations have different addresses', () => {
  expect(pageOf({ run_id: 'a b', is_evaluation: false })).toBe('runs/a%20b');
  expect(pageOf({ run_id: 'e1', is_evaluation: true })).toBe('evaluations/e1');
});

test('numbers and intervals are formatted', () => {
  expect(interval(-0.012, 0.2)).toBe('95% CI −0.012 to 0.200');
  expect(interval(-0.012, 0.5)).toBe('95% CI −0.01 to 0.50'); // it is wide
  expect([0.881, 1, 0.9996].map((share) => percent(share))).toEqual(['88.1%', '100%', '99.9%']);
  expect([0.0004, 0.0341, 0.42, null].map(pValue)).toEqual([
    ...['p\u00a0<\u00a00.001', 'p\u00a0=\u00a00.034', 'p\u00a0=\u00a00.42', ''],
  ]);
});
