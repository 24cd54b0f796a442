import { expect, test, vi } from 'vitest';
import { Plan } from '../src/features/train/plan.svelte';
import { expectedTime, roughDuration } from '../src/features/train/times';
import { train } from '../src/texts/en/train';
import { times } from './train-times';

test('the expected time is rounded, and empty if it is not known', () => {
  expect([368, 41, 7700].map(roughDuration)).toEqual(['6 min', '40 s', '2 h 10 min']);
  expect(expectedTime(times, times.presets[1], train.time)).toContain('About 6 min');
  expect(expectedTime(times, undefined, train.time)).toBe('');
  expect(expectedTime(null, undefined, train.time)).toBe('');
});

test('folds are counted', () => {
  expect(expectedTime(times, { ...times.presets[1]!, n_trainings: 51 }, train.time)).toContain('50 folds');
});

test('after a failed request, an outdated estimate is not shown', async () => {
  vi.useFakeTimers();
  const plan = new Plan();
  plan.datasetId = 'd';
  plan.datasets.set({ items: [{ id: 'd', n_labeled: 2, state: 'ready' }] } as never);
  plan.split.set({ refusal: null, notes: [] } as never);
  plan.time.set(times);
  expect(plan.expected).toEqual(times);
  const failed = plan.time.reload(); // there is no server
  await vi.runAllTimersAsync();
  await failed;
  expect(plan.time).toMatchObject({ value: times, loading: false });
  expect(plan.time.error).not.toBeNull();
  expect(plan.expected).toBeNull();
});
