import { expect, test } from 'vitest';
import { adviceForPages } from '../src/pages/datasets/advice';

test('where there is nothing to do nothing is shown', () => {
  expect(adviceForPages(['Nothing to fix was found.'])).toEqual([]);
  expect(adviceForPages(['Folds (split.folds=5) test on every group once.'])).toHaveLength(1);
});
