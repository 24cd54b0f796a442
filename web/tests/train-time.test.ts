import { expect, test, vi } from 'vitest';
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

test('after a failed request, an outdated estimate is not shown', async () => {
  vi.useFakeTimers();
  const plan = new Plan();
  plan.datasetId = 'd';
  plan.datasets.set({ items: [{ id: 'd', n_labeled: 2, state: 'ready' }] } as never);
  plan.split.set({ refusal: null, notes: [] } as never);
  plan.time.set(known);
  expect(plan.expected).toEqual(known);
  const failed = plan.time.reload(); // there is no server
  await vi.runAllTimersAsync();
  await failed;
  expect(plan.time).toMatchObject({ value: known, loading: false });
  expect(plan.time.error).not.toBeNull();
  expect(plan.expected).toBeNull();
});
