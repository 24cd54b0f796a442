import { expect, test } from 'vitest';
import { budgetOf, inMinutes, isComplete, isInMinutes, minutesOf } from '../src/features/train/budget';
import { Plan } from '../src/features/train/plan.svelte';

test('custom minutes differ from preset time limits', () => {
  expect([null, 'quick', 'balanced', 'best'].map(isInMinutes)).toEqual([false, false, false, false]);
  expect([null, 'quick'].map(minutesOf)).toEqual([null, null]);
  expect(isInMinutes('7m')).toBe(true);
  expect(minutesOf('7m')).toBe(7);
});

test('a time limit is sent as entered, or not at all', () => {
  for (const minutes of [1, 1.5, 20, 10000]) {
    expect(minutesOf(inMinutes(minutes))).toBe(minutes);
    expect(isComplete(inMinutes(minutes))).toBe(true);
  }
  for (const minutes of [null, 0, -5, 0.1, 10001, 1e30]) {
    expect(minutesOf(inMinutes(minutes))).toBe(minutes);
    expect(isComplete(inMinutes(minutes))).toBe(false);
  }
  expect([null, 'quick'].map(isComplete)).toEqual([true, true]);
});

test('a time limit is restored from the history and removed by a reset', () => {
  const plan = new Plan();
  plan.budget = '7m';
  const again = new Plan();
  again.restore(plan.formState);
  expect(minutesOf(again.budget)).toBe(7);
  again.budget = inMinutes(null); // the user emptied the field
  expect(again.isTimeMissing).toBe(true);
  again.resetAll();
  expect([again.budget, again.isTimeMissing, isInMinutes(again.budget)]).toEqual([null, false, false]);
});

test('seconds of an earlier training become its time limit', () => {
  expect([null, 120, 600, 3600, 240, 90].map(budgetOf)).toEqual([
    null,
    'quick',
    'balanced',
    'best',
    '4m',
    '2m',
  ]);
});
