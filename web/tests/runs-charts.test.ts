import { expect, test } from 'vitest';
import { neighbor, worstFirst } from '../src/charts/confusion';
import { percent, score, short } from '../src/texts/numbers';
import { linear, path, shareStart, steps, ticks } from '../src/charts/scales';

test('classes with the smallest share of right predictions come first, those without images last', () => {
  const counts = [
    [9, 1, 0],
    [0, 0, 0],
    [3, 0, 7],
  ];
  expect(worstFirst(counts)).toEqual([2, 0, 1]);
});

test('arrow keys stay in the matrix', () => {
  expect(neighbor('ArrowUp', 0, 2, 3)).toEqual([0, 2]);
  expect(neighbor('ArrowRight', 0, 1, 3)).toEqual([0, 2]);
  expect(neighbor('End', 1, 0, 3)).toEqual([1, 2]);
  expect(neighbor('x', 0, 0, 3)).toBeNull();
});

test('numbers are formatted as in the report', () => {
  expect(score(null)).toBe('–');
  expect(score(0.97)).toBe('0.970');
  expect([0.5625, 0.1875, 0.0625, 0.5635, 1, 0].map((value) => score(value))).toEqual(
    // as Python formats them
    ['0.562', '0.188', '0.062', '0.564', '1.000', '0.000'],
  );
  expect(percent(0.9996)).toBe('99.9%');
  expect(percent(0.999, 0)).toBe('99%');
  expect(percent(1)).toBe('100%');
  expect([score(0.8625), percent(0.8625), percent(0.8625, 0)]).toEqual(['0.863', '86.3%', '86%']);
  expect(short(4_652_008)).toBe('4.7\u00a0million');
});

test('an axis has round steps and starts below the lowest interval', () => {
  expect(ticks(0.9, 1, 3)).toEqual([0.9, 0.95, 1]);
  expect(ticks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(shareStart(0.948)).toBe(0.9);
  expect(shareStart(0.3)).toBe(0);
});

test('coordinates and paths', () => {
  expect(linear([0, 1], [100, 0])(0.25)).toBe(75);
  const points = [[0, 1] as const, [2, 3] as const];
  expect(path(points, linear([0, 2], [0, 1]), linear([0, 1], [0, 10]))).toBe('M0.00 10.00L1.00 30.00');
});

test('a ROC curve of the lowest false positive rate for each sensitivity moves right, then up', () => {
  const points = [[0, 0.5] as const, [0.25, 0.75] as const];
  expect(steps([[0, 0], ...points])).toEqual([
    [0, 0],
    [0, 0],
    [0, 0],
    [0, 0.5],
    [0.25, 0.5],
    [0.25, 0.75],
  ]);
});
