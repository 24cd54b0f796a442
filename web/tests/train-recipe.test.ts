import { expect, test } from 'vitest';
import { asText, fromText } from '../src/features/train/fields/shape';
import {
  changed,
  differing,
  dotted,
  faultsOf,
  nested,
  copiedSettings,
  valueAt,
} from '../src/features/train/recipe';

test('dotted keys become sections', () => {
  expect(nested({ 'split.val': 0.1, 'split.folds': 5, stage: 'instant' })).toEqual({
    split: { val: 0.1, folds: 5 },
    stage: 'instant',
  });
});

test('only differences from the defaults are stored', () => {
  const once = changed({}, 'epochs', 20, 8);
  expect(once).toEqual({ epochs: 20 });
  expect(changed(once, 'epochs', 8, 8)).toEqual({});
});

const DEFAULTS = { epochs: 8, 'split.val': 0.2, image_size: null, group: 'slide', 'classes.drop': [] };
const KEYS = [...Object.keys(DEFAULTS), 'classes.order'];

test('a recipe is loaded as differences from the defaults', () => {
  const recipe = { epochs: 20, split: { val: 0.2 }, image_size: null, unknown: 1 };
  expect(dotted(recipe, KEYS)).toEqual({ epochs: 20, 'split.val': 0.2, image_size: null });
  expect(differing(dotted(recipe, KEYS), DEFAULTS)).toEqual({ epochs: 20 });
  expect(valueAt(recipe, 'split.val')).toBe(0.2);
  expect(valueAt(recipe, 'split.nothing.more')).toBeUndefined();
});

test('settings about images are copied for the same images only', () => {
  const recipe = { epochs: 20, group: 'well', classes: { drop: ['debris'], order: ['b', 'a'] } };
  expect(copiedSettings(recipe, KEYS, false)).toEqual({ epochs: 20 });
  expect(copiedSettings(recipe, KEYS, true)).toEqual({
    epochs: 20,
    group: 'well',
    'classes.drop': ['debris'],
  });
  expect(copiedSettings({ ...recipe, group: null }, KEYS, true)).not.toHaveProperty('group');
});

test('faults are shown at their fields', () => {
  const keys = ['epochs', 'split.val', 'split.test', 'init'];
  const errors = [
    { field: 'epochs', message: 'epochs = 0.5: it must be a whole number' },
    { field: 'split', message: 'val and test leave nothing to train on' },
    { field: 'init.train_on', message: 'There is no such file' },
    { field: 'dataset_id', message: 'no field of the form' },
  ];
  expect([...faultsOf(errors, keys)]).toEqual([
    ['epochs', 'It must be a whole number'],
    ['split.val', 'val and test leave nothing to train on'],
    ['init', 'There is no such file'],
  ]);
});

test('typed text becomes a value of the key', () => {
  const shape = {
    type: 'number',
    choices: [],
    minimum: 0,
    maximum: 1,
    unit: '',
    isOptional: true,
    empty: '',
  };
  expect(fromText(' 0.5 ', shape, 1)).toBe(0.5);
  expect(fromText('', shape, 1)).toBeNull();
  expect(fromText('', { ...shape, isOptional: false }, 1)).toBe(1);
  expect(fromText('many', shape, 1)).toBe('many'); // the server reports the problem
  expect(fromText('7', { ...shape, type: 'text' }, '')).toBe('7');
  expect(fromText('2, 4 3', { ...shape, type: 'integers' }, [])).toEqual([2, 4, 3]);
  expect(fromText('0 2', { ...shape, type: 'channels' }, [])).toEqual([0, 2]);
  expect(fromText('DAPI, Alexa 488, 3', { ...shape, type: 'channels' }, [])).toEqual([
    'DAPI',
    'Alexa 488',
    3,
  ]);
  expect(asText([2, 4, 3])).toBe('2, 4, 3');
  expect(asText(null)).toBe('');
});
