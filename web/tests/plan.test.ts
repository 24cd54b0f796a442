import { expect, test } from 'vitest';
import { planOf, resultOf, wishesOf } from '../src/features/datasets/class_plan';

const wish = (name: string, called = name, isDropped = false) => ({ name, called, isDropped });

test('equal names join, other names rename, dropped ones go', () => {
  const plan = planOf([wish('a', 'ab'), wish('b', 'ab'), wish('c', 'C'), wish('d'), wish('e', 'e', true)]);
  expect(plan).toEqual({ merge: { ab: ['a', 'b'] }, drop: ['e'], rename: { c: 'C' } });
});

test('joining into an existing class', () => {
  expect(planOf([wish('a'), wish('b', 'a')]).merge).toEqual({ a: ['a', 'b'] });
});

test('a plan comes back as it went', () => {
  const wishes = [wish('a', 'ab'), wish('b', 'ab'), wish('c', 'C'), wish('d'), wish('e', 'e', true)];
  expect(wishesOf(['a', 'b', 'c', 'd', 'e'], planOf(wishes))).toEqual(wishes);
});

test('an empty name means its own', () => {
  expect(planOf([wish('a', ' ')])).toEqual({ merge: {}, drop: [], rename: {} });
});

test('what a training will see', () => {
  const counts = new Map([
    ['a', 2],
    ['b', 3],
  ]);
  expect(resultOf([wish('a', 'x'), wish('b', 'x')], counts)).toEqual([{ name: 'x', n: 5, of: ['a', 'b'] }]);
});
