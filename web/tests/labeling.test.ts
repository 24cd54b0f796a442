import { afterEach, expect, test, vi } from 'vitest';
import { chipsOf } from '../src/features/datasets/gallery/filters';
import type { Filters, Image } from '../src/api/lists';
import { imagesOfDataset } from '../src/api/lists';
import { inOrderOf } from '../src/images/classes';
import { ImageList } from '../src/images/gallery/image_list.svelte';
import { actionOf } from '../src/images/gallery/keys';
import { Labeling } from '../src/images/labeling.svelte';

afterEach(() => void vi.unstubAllGlobals());

const pressed = (
  key: string,
  held: Partial<Record<'ctrlKey' | 'altKey' | 'shiftKey' | 'repeat', boolean>> = {},
) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  repeat: false,
  ...held,
});

test('a key assigns the class with that mark if it exists', () => {
  expect(actionOf(pressed('2'), 3)).toEqual({ act: 'assign', classIndex: 1 });
  expect(actionOf(pressed('4'), 3)).toBeNull();
  expect(actionOf(pressed('Delete'), 3)).toEqual({ act: 'assign', classIndex: null });
  expect(actionOf(pressed('2', { altKey: true }), 3)).toBeNull();
});

test('a key that is held down labels one image only', () => {
  for (const key of ['2', 'Delete', ',', ';']) {
    expect(actionOf(pressed(key), 3)).not.toBeNull();
    expect(actionOf(pressed(key, { repeat: true }), 3)).toBeNull();
  }
  expect(actionOf(pressed('z', { ctrlKey: true, repeat: true }), 3)).toEqual({ act: 'undo' });
});

test('labels of a dataset have the marks that they have as classes of a classifier', () => {
  expect(inOrderOf(['a', 'b', 'c'], ['c', 'a'])).toEqual(['a', null, 'c']);
  expect(inOrderOf(['a', 'c'], ['a', 'b', 'c'])).toEqual(['a', 'c', 'b']);
});

test('the mark of a class is its key, including 0 and letters', () => {
  const classOf = (key: string, n = 36) => actionOf(pressed(key), n);
  expect(classOf('0')).toEqual({ act: 'assign', classIndex: 9 });
  expect(classOf('a')).toEqual({ act: 'assign', classIndex: 10 });
  expect(classOf('Z')).toEqual({ act: 'assign', classIndex: 35 });
  expect(classOf('0', 3)).toBeNull();
});

test('two keys exclude an image from training', () => {
  expect(actionOf(pressed(','), 3)).toEqual({ act: 'exclude', reason: 'none-of-these' });
  expect(actionOf(pressed('.'), 3)).toEqual({ act: 'exclude', reason: 'unusable' });
  expect(actionOf(pressed('.', { ctrlKey: true }), 3)).toBeNull();
});

test('undo and redo have the usual keys', () => {
  expect(actionOf(pressed('z', { ctrlKey: true }), 0)).toEqual({ act: 'undo' });
  expect(actionOf(pressed('Z', { ctrlKey: true, shiftKey: true }), 0)).toEqual({ act: 'redo' });
  expect(actionOf(pressed('y', { ctrlKey: true }), 0)).toEqual({ act: 'redo' });
  expect(actionOf(pressed('a', { ctrlKey: true }), 20)).toBeNull();
});

test('each active filter has a chip that removes only this filter', () => {
  const filters = { label: '', domain: 'Basel', run: 'r1', part: 'test' as const, sort: 'label' as const };
  expect(chipsOf(filters, () => 'Monday')).toEqual([
    { text: 'Class: Without a class', without: { label: undefined } },
    { text: 'Domain: Basel', without: { domain: undefined } },
    { text: 'Monday: Test', without: { run: undefined, part: undefined } },
  ]);
  expect(chipsOf({}, () => '')).toEqual([]);
});

test('stored changes can be undone, and a damaged history is ignored', () => {
  const canUndo = (kept: string | null) => {
    vi.stubGlobal('document', { baseURI: 'http://localhost/' });
    vi.stubGlobal('sessionStorage', { getItem: () => kept });
    return new Labeling('d', new ImageList<Image, Filters>(imagesOfDataset('d')), () => {}).canUndo;
  };
  expect(canUndo('{"done":[3],"undone":[]}')).toBe(true);
  for (const damaged of [null, '{"done":[3', 'null', '{}', '[]', '{"done":["a"],"undone":[]}'])
    expect(canUndo(damaged)).toBe(false);
});
