import { expect, test } from 'vitest';
import { changedIn, nameOfRepeat } from '../src/features/train/retraining';
import { hasOwnThreshold } from '../src/features/train/recipe';

test('a training that repeats another one has a name of its own', () => {
  expect(nameOfRepeat('blood', 'labels', ['blood'])).toBe('blood, labels corrected');
  expect(nameOfRepeat('blood', 'labels', ['blood, labels corrected'])).toBe('blood, labels corrected 2');
  expect(nameOfRepeat('blood, labels corrected 2', 'added', [])).toBe('blood, images added');
  expect(nameOfRepeat('blood, images added', 'images', [])).toBe('blood, images changed');
  expect(nameOfRepeat('blood, labels corrected', 'both', [])).toBe(
    'blood, labels corrected and images added',
  );
  expect(nameOfRepeat('blood, labels corrected and images added', 'labels', [])).toBe(
    'blood, labels corrected',
  );
  expect(nameOfRepeat('b'.repeat(120), 'labels', [])).toHaveLength(120);
});

test('a training is named for what differs from the one that it repeats', () => {
  const none = { n_added: 0, n_relabeled: 0, n_relabeled_test: 0, n_removed: 0, n_removed_test: 0 };
  expect(changedIn({ ...none, n_added: 1 })).toBe('added');
  expect(changedIn({ ...none, n_relabeled: 1 })).toBe('labels');
  expect(changedIn({ ...none, n_added: 1, n_relabeled: 1 })).toBe('both');
  expect(changedIn({ ...none, n_added: 1, n_removed: 1 })).toBe('images');
});

test('a threshold that was chosen after a training is told from one that its recipe asked for', () => {
  const [plain, aimed] = [
    { decide_by: 'highest', target: 0.95 },
    { decide_by: 'sensitivity', target: 0.9 },
  ];
  expect(hasOwnThreshold(aimed, plain)).toBe(true);
  expect(hasOwnThreshold(aimed, { ...aimed, target: 0.8 })).toBe(true);
  expect(hasOwnThreshold(aimed, aimed)).toBe(false);
  expect(hasOwnThreshold(plain, aimed)).toBe(false);
});
