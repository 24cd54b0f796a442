import { expect, test } from 'vitest';
import { budgetOf, inMinutes, isGiven, isInMinutes, minutesOf } from '../src/features/train/budget';
import { Plan } from '../src/features/train/plan.svelte';

test('minutes of one’s own are told apart from a time of the list', () => {
  expect([null, 'quick', 'balanced', 'best'].map(isInMinutes)).toEqual([false, false, false, false]);
  expect([null, 'quick'].map(minutesOf)).toEqual([null, null]);
  expect(isInMinutes('7m')).toBe(true);
  expect(minutesOf('7m')).toBe(7);
});

test('what is typed is what is sent, or nothing is sent', () => {
  for (const minutes of [1, 1.5, 20, 10000]) {
    expect(minutesOf(inMinutes(minutes))).toBe(minutes);
    expect(isGiven(inMinutes(minutes))).toBe(true);
  }
  for (const minutes of [null, 0, -5, 0.1, 10001, 1e30]) {
    expect(minutesOf(inMinutes(minutes))).toBe(minutes);
    expect(isGiven(inMinutes(minutes))).toBe(false);
  }
  expect([null, 'quick'].map(isGiven)).toEqual([true, true]);
});

test('a time that was chosen comes back after *Back*, and goes with *Back to the defaults*', () => {
  const plan = new Plan();
  plan.budget = '7m';
  const again = new Plan();
  again.restore(plan.kept);
  expect(minutesOf(again.budget)).toBe(7);
  again.budget = inMinutes(null); // the user emptied the field
  expect(again.isTimeMissing).toBe(true);
  again.setBackAll();
  expect([again.budget, again.isTimeMissing, isInMinutes(again.budget)]).toEqual([null, false, false]);
});

test('the time of an earlier training is the choice that asked for it', () => {
  expect([null, 120, 600, 3600, 240, 90].map(budgetOf)).toEqual([
    null,
    'quick',
    'balanced',
    'best',
    '4m',
    '2m',
  ]);
});
