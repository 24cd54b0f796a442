import { expect, test } from 'vitest';
import { planOf, resultOf, choicesOf } from '../src/features/datasets/class_plan';

const choice = (name: string, trainingName = name, isExcluded = false) => ({
  name,
  trainingName,
  isExcluded,
});

test('equal names merge classes, new names rename, excluded classes are dropped', () => {
  const plan = planOf([
    choice('a', 'ab'),
    choice('b', 'ab'),
    choice('c', 'C'),
    choice('d'),
    choice('e', 'e', true),
  ]);
  expect(plan).toEqual({ merge: { ab: ['a', 'b'] }, drop: ['e'], rename: { c: 'C' } });
});

test('merging into an existing class', () => {
  expect(planOf([choice('a'), choice('b', 'a')]).merge).toEqual({ a: ['a', 'b'] });
});

test('a plan is restored', () => {
  const choices = [
    choice('a', 'ab'),
    choice('b', 'ab'),
    choice('c', 'C'),
    choice('d'),
    choice('e', 'e', true),
  ];
  expect(choicesOf(['a', 'b', 'c', 'd', 'e'], planOf(choices))).toEqual(choices);
});

test('an empty name keeps the name', () => {
  expect(planOf([choice('a', ' ')])).toEqual({ merge: {}, drop: [], rename: {} });
});

test('classes of the training', () => {
  const counts = new Map([
    ['a', 2],
    ['b', 3],
  ]);
  expect(resultOf([choice('a', 'x'), choice('b', 'x')], counts)).toEqual([
    { name: 'x', n: 5, of: ['a', 'b'] },
  ]);
});
