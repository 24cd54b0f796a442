import { expect, test } from 'vitest';
import { ImageList } from '../src/images/gallery/image_list.svelte';
import { clicked, emptySelection } from '../src/images/gallery/selection';

test('rows that arrive before the first image move the focus only if an image is selected', async () => {
  let rows = [3, 1];
  const list = new ImageList<{ row_id: number }>({
    list: async () => Uint32Array.from(rows),
    read: async () => [],
    sheetUrl: () => '',
  });
  await list.show({});
  rows = [5, 3, 1];
  await list.reload();
  expect(list.n).toBe(3);
  expect(list.selection).toBe(emptySelection);
  list.selection = clicked(list.selection, 0);
  rows = [7, 5, 3, 1];
  await list.reload();
  expect([...list.selection.indices]).toEqual([1]);
  expect(list.selection.focus).toBe(1);
});
