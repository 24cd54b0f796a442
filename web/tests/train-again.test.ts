import { expect, test } from 'vitest';
import { nameOfRepeat } from '../src/features/train/again';

test('a training that repeats another one has a name of its own', () => {
  expect(nameOfRepeat('blood', 'labels', ['blood'])).toBe('blood, labels corrected');
  expect(nameOfRepeat('blood', 'labels', ['blood, labels corrected'])).toBe('blood, labels corrected 2');
  expect(nameOfRepeat('blood, labels corrected 2', 'images', [])).toBe('blood, images added');
  expect(nameOfRepeat('blood, labels corrected', 'both', [])).toBe(
    'blood, labels corrected and images added',
  );
  expect(nameOfRepeat('blood, labels corrected and images added', 'labels', [])).toBe(
    'blood, labels corrected',
  );
  expect(nameOfRepeat('b'.repeat(120), 'labels', [])).toHaveLength(120);
});
