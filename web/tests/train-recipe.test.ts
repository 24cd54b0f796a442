import { expect, test } from 'vitest';
import { keyAt, withKey } from '../src/features/train/completion';
import {
  changed,
  differing,
  dotted,
  nested,
  copiedSettings,
  valueAt,
  withChanges,
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

test('changes of the form apply to a text that was typed meanwhile', () => {
  const before = { epochs: 3, seed: 1 };
  const typed = { epochs: 3, seed: 2, batch_size: 8 };
  expect(withChanges(typed, before, { seed: 1, stage: 'instant' })).toEqual({
    seed: 2,
    batch_size: 8,
    stage: 'instant',
  });
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
  expect(copiedSettings({ match: { zoom: 2 } }, ['match.zoom'], true)).toEqual({});
});

test('the key at the cursor has its section', () => {
  const text = 'epochs: 3\nsplit:\n  te\nimage';
  expect([3, text.indexOf('te') + 1, text.length].map((at) => keyAt(text, at))).toEqual([
    'epochs',
    'split.te',
    'image',
  ]);
});

test('a key is added below its section, in place of what was typed of it', () => {
  const added = (text: string, key: string, value: string | number | null) => {
    const { text: after, from, to } = withKey(text, text.length, key, value);
    return [after, after.slice(from, to)];
  };
  expect(added('', 'epochs', 'auto')).toEqual(['epochs: "auto"\n', '"auto"']);
  expect(added('epochs: 3\nima', 'image_size', null)).toEqual(['epochs: 3\nimage_size: null\n', 'null']);
  expect(added('split:\n  val: 0.1\nseed: 1\n', 'split.test', 0.2)).toEqual([
    'split:\n  test: 0.2\n  val: 0.1\nseed: 1\n',
    '0.2',
  ]);
  expect(added('split:\n  test: 0.3\nseed: 1\nspl', 'split.test', 0.2)).toEqual([
    'split:\n  test: 0.3\nseed: 1\n',
    '0.3',
  ]);
  expect(added('seed: 1 # kept', 'split.test', 0.2)).toEqual([
    'seed: 1 # kept\nsplit:\n  test: 0.2\n',
    '0.2',
  ]);
});
