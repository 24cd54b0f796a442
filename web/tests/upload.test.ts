import { expect, test } from 'vitest';
import { withDistinctNames, withoutTop } from '../src/state/drops.svelte';

const sent = (...names: string[]) => names.map((name) => ({ name, file: new File([], name) }));

test('a folder names the dataset, its sub-folders the classes', () => {
  const { files, name } = withoutTop(sent('cells/a/1.png', 'cells/b/2.png'));
  expect(name).toBe('cells');
  expect(files.map((file) => file.name)).toEqual(['a/1.png', 'b/2.png']);
});

test('files without a common folder stay as they are', () => {
  const { files, name } = withoutTop(sent('a/1.png', 'b/2.png'));
  expect(name).toBe('');
  expect(files.map((file) => file.name)).toEqual(['a/1.png', 'b/2.png']);
  expect(withoutTop(sent('cells.zip')).name).toBe('cells');
});

test('no file of a name replaces another', () => {
  const files = withDistinctNames(sent('1.png', '1.png', 'a/1.png', '1 (2).png', '1.png', 'b.c/d', 'b.c/d'));
  expect(files.map((file) => file.name)).toEqual([
    '1.png',
    '1 (3).png',
    'a/1.png',
    '1 (2).png',
    '1 (4).png',
    'b.c/d',
    'b.c/d (2)',
  ]);
});
