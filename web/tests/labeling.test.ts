import { afterEach, expect, test, vi } from 'vitest';
import { chipsOf } from '../src/features/datasets/gallery/filters';
import { ImageList } from '../src/images/gallery/image_list.svelte';
import { actionOf, Labeling } from '../src/images/labeling.svelte';

afterEach(() => void vi.unstubAllGlobals());

const pressed = (key: string, held: Partial<Record<'ctrlKey' | 'altKey' | 'shiftKey', boolean>> = {}) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...held,
});

test('a key gives the class with that mark, and no class beyond those that there are', () => {
  expect(actionOf(pressed('2'), 3)).toEqual({ act: 'give', classIndex: 1 });
  expect(actionOf(pressed('4'), 3)).toBeNull();
  expect(actionOf(pressed('Delete'), 3)).toEqual({ act: 'give', classIndex: null });
  expect(actionOf(pressed('2', { altKey: true }), 3)).toBeNull();
});

test('undo and redo have the keys of every other program', () => {
  expect(actionOf(pressed('z', { ctrlKey: true }), 0)).toEqual({ act: 'undo' });
  expect(actionOf(pressed('Z', { ctrlKey: true, shiftKey: true }), 0)).toEqual({ act: 'redo' });
  expect(actionOf(pressed('y', { ctrlKey: true }), 0)).toEqual({ act: 'redo' });
  expect(actionOf(pressed('a', { ctrlKey: true }), 20)).toBeNull();
});

test('each filter that is set is a chip that takes that filter away alone', () => {
  const filters = { label: '', domain: 'Basel', run: 'r1', part: 'test' as const, sort: 'label' as const };
  expect(chipsOf(filters, () => 'Monday')).toEqual([
    { text: 'Class: Without a class', without: { label: undefined } },
    { text: 'Domain: Basel', without: { domain: undefined } },
    { text: 'Monday: Test', without: { run: undefined, part: undefined } },
  ]);
  expect(chipsOf({}, () => '')).toEqual([]);
});

test('changes that a tab kept can be undone, and a damaged record of them stops no gallery', () => {
  const canUndo = (kept: string | null) => {
    vi.stubGlobal('sessionStorage', { getItem: () => kept });
    return new Labeling(new ImageList('d'), () => {}).canUndo;
  };
  expect(canUndo('{"done":[3],"undone":[]}')).toBe(true);
  for (const damaged of [null, '{"done":[3', 'null', '{}', '[]', '{"done":["a"],"undone":[]}'])
    expect(canUndo(damaged)).toBe(false);
});
