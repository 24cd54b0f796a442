import { afterEach, expect, test, vi } from 'vitest';
import { chipsOf } from '../src/features/datasets/gallery/filters';
import type { Filters, Image } from '../src/api/lists';
import { imagesOfDataset } from '../src/api/lists';
import { ClassKeys } from '../src/images/classes';
import { ImageList } from '../src/images/gallery/image_list.svelte';
import { actionOf as actOn } from '../src/images/gallery/keys';
import { clicked, emptySelection } from '../src/images/gallery/selection';
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

const keysOf = (ofDataset: string[], others: string[] = []) =>
  new ClassKeys({ id: '1', name: 'cells', classes: ofDataset.map((name) => ({ name, n: 1 })) }, others);

/** The action of a key with these classes in the dataset, whose names are not keys. */
const actionOf = (event: Parameters<typeof actOn>[0], nClasses: number) => {
  const keys = keysOf(Array.from({ length: nClasses }, (_, k) => `class ${k}`));
  return actOn(event, keys, keys.ofDataset);
};

test('a key assigns the class with that mark if it exists', () => {
  expect(actionOf(pressed('2'), 3)).toEqual({ act: 'assign', label: 'class 1' });
  expect(actionOf(pressed('4'), 3)).toBeNull();
  expect(actionOf(pressed('Delete'), 3)).toEqual({ act: 'assign', label: null });
  expect(actionOf(pressed('2', { altKey: true }), 3)).toBeNull();
});

test('a key that is held down labels one image only', () => {
  for (const key of ['2', 'Delete', ',', ';']) {
    expect(actionOf(pressed(key), 3)).not.toBeNull();
    expect(actionOf(pressed(key, { repeat: true }), 3)).toBeNull();
  }
  expect(actionOf(pressed('z', { ctrlKey: true, repeat: true }), 3)).toEqual({ act: 'undo' });
});

test('classes have the keys and colors of the dataset, whatever the classifier has', () => {
  const keys = keysOf(['red', 'white', 'other'], ['other', 'white', 'dead']);
  expect(keys.names).toEqual(['red', 'white', 'other', 'dead']);
  expect(keys.names.map((name) => keys.markOf(name))).toEqual(['1', '2', '3', '4']);
  expect(keys.names.map((name) => keys.placeOf(name))).toEqual([0, 1, 2, 3]);
  expect(keys.names.map((name) => keys.classOf(keys.markOf(name)))).toEqual(keys.names);
  expect([keys.placeOf('blue'), keys.placeOf(null), keys.markOf('blue')]).toEqual([-1, -1, '']);
});

test('classes of a classifier whose names are keys change no key of the dataset', () => {
  const keys = keysOf(['red', 'white', 'other'], ['2', 'c', 'other']);
  expect(keys.names.map((name) => keys.markOf(name))).toEqual(['1', '2', '3', '4', 'c']);
  expect(['2', '4'].map((key) => keys.classOf(key))).toEqual(['white', '2']);
});

test('a short name is the mark on an object, a long one has its key', () => {
  const keys = keysOf(['0', '1', '11', 'G2', 'mitosis']);
  expect(keys.names.map((name) => keys.drawnMarkOf(name))).toEqual(['0', '1', '11', 'G2', '4']);
});

test('only classes have the color of a class', () => {
  const keys = keysOf(['red', 'white']);
  expect(['red', 'white', 'blue'].map((name) => keys.colorOf(name))).toEqual([
    'var(--class-0)',
    'var(--class-1)',
    'var(--line-strong)',
  ]);
});

test('a key assigns only labels that are possible', () => {
  const keys = keysOf(['red', 'white'], ['dead']);
  expect(actOn(pressed('3'), keys, keys.ofDataset)).toEqual({ act: 'refuse', label: 'dead' });
  expect(actOn(pressed('3'), keys, ['dead'])).toEqual({ act: 'assign', label: 'dead' });
  expect(actOn(pressed('1'), keys, ['dead'])).toEqual({ act: 'refuse', label: 'red' });
  expect(actOn(pressed('4'), keys, ['dead'])).toBeNull();
});

test('a class whose name is a key has this key', () => {
  const keys = keysOf(['0', '1', 'none', 'X', 'x', '3']);
  expect(keys.names.map((name) => keys.markOf(name))).toEqual(['0', '1', '2', 'x', '4', '3']);
  expect(keys.classOf('0')).toBe('0');
  expect(keys.classOf('X')).toBe('X');
});

test('classes after the 36th have a number and no key', () => {
  const keys = keysOf(Array.from({ length: 38 }, (_, k) => `class ${k}`));
  expect([keys.markOf('class 35'), keys.markOf('class 37'), keys.classOf('38')]).toEqual(['z', '38', null]);
});

test('the mark of a class is its key, including 0 and letters', () => {
  const classOf = (key: string, n = 36) => actionOf(pressed(key), n);
  expect(classOf('0')).toEqual({ act: 'assign', label: 'class 9' });
  expect(classOf('a')).toEqual({ act: 'assign', label: 'class 10' });
  expect(classOf('Z')).toEqual({ act: 'assign', label: 'class 35' });
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

test('labels that could not be saved are replaced by the saved ones, also if another followed', async () => {
  vi.stubGlobal('document', { baseURI: 'http://localhost/' });
  vi.stubGlobal('sessionStorage', { getItem: () => null });
  for (const name of ['addEventListener', 'removeEventListener']) vi.stubGlobal(name, () => undefined);
  const body = JSON.stringify({ what: 'No space is left on the disk.', do: '', file: null, remedies: [] });
  vi.stubGlobal('fetch', async () => new Response(body, { status: 507 }));
  const list = new ImageList<Image, Filters>({
    list: async () => ({ rows: Uint32Array.of(7), digest: null }),
    read: async () => [{ row_id: 7, image_id: 'a.png', label: 'saved' } as Image],
    sheetUrl: () => '',
  });
  await list.show({});
  const labeling = new Labeling('d', list, () => {});
  const first = clicked(emptySelection, 0);
  const saved = Promise.all([labeling.assign(first, 'red'), labeling.assign(first, 'white')]);
  expect(list.at(0)?.label).toBe('white');
  expect(await saved).toEqual([false, false]);
  await vi.waitFor(() => expect(list.at(0)?.label).toBe('saved'));
});
