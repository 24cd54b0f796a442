import { expect, test } from 'vitest';
import { withoutTop } from '../src/features/datasets/add/upload.svelte';

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
