import { expect, test } from 'vitest';
import { changed, differing, faultsOf, nested, valueAt } from '../src/features/train/recipe';

test('dotted keys become sections', () => {
  expect(nested({ 'split.val': 0.1, 'split.folds': 5, stage: 'instant' })).toEqual({
    split: { val: 0.1, folds: 5 },
    stage: 'instant',
  });
});

test('only what differs from the default is kept', () => {
  const once = changed({}, 'epochs', 20, 8);
  expect(once).toEqual({ epochs: 20 });
  expect(changed(once, 'epochs', 8, 8)).toEqual({});
});

test('the choices of an earlier training come back as what differs', () => {
  const fields = [
    { key: 'epochs', default: 8 },
    { key: 'split.val', default: 0.2 },
    { key: 'image_size', default: null },
  ];
  const recipe = { epochs: 20, split: { val: 0.2 }, image_size: null, unknown: 1 };
  expect(differing(recipe, fields)).toEqual({ epochs: 20 });
  expect(valueAt(recipe, 'split.val')).toBe(0.2);
  expect(valueAt(recipe, 'split.nothing.more')).toBeUndefined();
});

test('what is wrong stands at the field that it is about', () => {
  const keys = ['epochs', 'split.val', 'split.test'];
  const errors = [
    { field: 'epochs', message: 'it must be a whole number' },
    { field: 'split', message: 'val and test leave nothing to train on' },
    { field: 'dataset_id', message: 'no field of the form' },
  ];
  expect([...faultsOf(errors, keys)]).toEqual([
    ['epochs', 'it must be a whole number'],
    ['split.val', 'val and test leave nothing to train on'],
  ]);
});
