import { expect, test } from 'vitest';
import { changeKind, nameOfRepeat } from '../src/features/train/retraining';
import { hasCustomThreshold } from '../src/features/train/recipe';

test('a repeated training has a unique name', () => {
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

test('the name of a repeated training states the changes', () => {
  const none = { n_added: 0, n_relabeled: 0, n_relabeled_test: 0, n_removed: 0, n_removed_test: 0 };
  expect(changeKind({ ...none, n_added: 1 })).toBe('added');
  expect(changeKind({ ...none, n_relabeled: 1 })).toBe('labels');
  expect(changeKind({ ...none, n_added: 1, n_relabeled: 1 })).toBe('both');
  expect(changeKind({ ...none, n_added: 1, n_removed: 1 })).toBe('images');
});

test('a threshold that was chosen after a training is detected', () => {
  const [plain, aimed] = [
    { decide_by: 'highest', target: 0.95 },
    { decide_by: 'sensitivity', target: 0.9 },
  ];
  expect(hasCustomThreshold(aimed, plain)).toBe(true);
  expect(hasCustomThreshold(aimed, { ...aimed, target: 0.8 })).toBe(true);
  expect(hasCustomThreshold(aimed, aimed)).toBe(false);
  expect(hasCustomThreshold(plain, aimed)).toBe(false);
});
