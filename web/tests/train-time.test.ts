import { expect, test } from 'vitest';
import { Problem } from '../src/api/client';
import { expectedTime } from '../src/features/train/budget';
import { Plan } from '../src/features/train/plan.svelte';
import { train } from '../src/texts/en/train';

const known = { seconds: 368, basis: 'a run', is_long: false, n_trainings: 1, has_pretraining: false };

test('the expected time states its basis, or that it is unknown', () => {
  expect(expectedTime(known, null, train.time)).toContain('About 6 min');
  expect(expectedTime(known, null, train.time)).toContain('a run');
  expect(expectedTime({ ...known, seconds: 41 }, null, train.time)).toContain('About 40 s');
  expect(expectedTime({ ...known, seconds: 7700 }, null, train.time)).toContain('About 2 h 10 min');
  expect(expectedTime({ ...known, seconds: null, basis: null }, null, train.time)).toBe(train.time.unknown);
});

test('folds are counted; with a time limit there is no estimate', () => {
  expect(expectedTime({ ...known, n_trainings: 51 }, null, train.time)).toContain('50 folds');
  expect(expectedTime(known, 'quick', train.time)).toBe('');
  expect(expectedTime(null, null, train.time)).toBe('');
});

test('an outdated estimate is not shown', () => {
  const plan = new Plan();
  plan.time.set(known);
  expect(plan.expected).toEqual(known);
  plan.time.error = new Problem(0);
  expect(plan.expected).toBeNull();
});
