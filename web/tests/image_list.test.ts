import { expect, test } from 'vitest';
import type { Filters, Image } from '../src/api/lists';
import { ImageList } from '../src/images/gallery/image_list.svelte';
import { all, clicked, emptySelection } from '../src/images/gallery/selection';
import { selectedOf } from '../src/images/labeling.svelte';

/** A list whose requests the test answers. */
function delayed() {
  const requests: { answer: (...rows: number[]) => void; fail: () => void }[] = [];
  const list = new ImageList<Image, Filters>({
    list: () =>
      new Promise((resolve, reject) => {
        const answer = (...rows: number[]) => resolve({ rows: Uint32Array.from(rows), digest: `of ${rows}` });
        requests.push({ answer, fail: () => reject(new Error('no')) });
      }),
    read: async () => [],
    sheetUrl: () => '',
  });
  const nextRequest = async () => {
    while (!requests.length) await Promise.resolve();
    return requests.shift()!;
  };
  return { list, nextRequest };
}

test('rows that arrive before the first image move the focus only if an image is selected', async () => {
  let rows = [3, 1];
  const list = new ImageList<{ row_id: number }>({
    list: async () => ({ rows: Uint32Array.from(rows), digest: null }),
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

test('an order that stays is requested again by the user only, and a selection of all is then what is shown', async () => {
  let rows = [3, 1];
  let nRead = 0;
  let removed = 0;
  const list = new ImageList<Image, Filters>(
    {
      list: async () => ({ rows: Uint32Array.from(rows), digest: `of ${rows}` }),
      read: async (requested) => {
        nRead += 1;
        return Array.from(requested, (row_id) => ({ row_id }) as Image).filter(
          ({ row_id }) => row_id !== removed,
        );
      },
      sheetUrl: () => '',
    },
    ({ sort }) => sort === 'certainty',
  );
  await list.show({ sort: 'certainty' });
  list.see(0, 1);
  const before = nRead;
  rows = [1, 3];
  await list.reload();
  expect([...list.rows!]).toEqual([3, 1]);
  expect(nRead).toBe(before + 1); // their details
  expect(selectedOf(list, all(list.selection))).toEqual({ rows: [3, 1] });
  await list.show({ sort: 'certainty' });
  expect([...list.rows!]).toEqual([1, 3]);

  // An image that is not in the dataset any more has no cell.
  list.selection = all(list.selection);
  removed = 1;
  await list.reload();
  while (list.n === 2) await Promise.resolve();
  expect([...list.rows!]).toEqual([3]);
  expect(selectedOf(list, list.selection)).toEqual({ rows: [3] });
});

test('a selection of all contains the images that were shown, and names the list of which they are', async () => {
  const { list, nextRequest } = delayed();
  const shown = list.show({ label: 'a' });
  expect(list.isComplete).toBe(false);
  (await nextRequest()).answer(3, 1);
  await shown;
  expect(list.isComplete).toBe(true);
  list.selection = all(list.selection);
  const filters = { label: 'a' };
  expect(selectedOf(list, list.selection)).toEqual({
    filters,
    n_listed: 2,
    digest: 'of 3,1',
    except_rows: [],
  });
  const reloaded = list.reload();
  (await nextRequest()).answer(3, 1, 5, 7); // another browser added two
  await reloaded;
  expect(list.nSelected).toBe(2);
  const expected = { filters, n_listed: 4, digest: 'of 3,1,5,7', except_rows: [5, 7] };
  expect(selectedOf(list, list.selection)).toEqual(expected);
});

test('a list that is older than a change does not select images by filters', async () => {
  const { list, nextRequest } = delayed();
  const shown = list.show({ label: 'a' });
  (await nextRequest()).answer(3, 1);
  await shown;
  const reloaded = list.reload();
  const request = await nextRequest();
  list.invalidate([1]);
  request.answer(3, 1);
  await reloaded;
  expect(selectedOf(list, all(list.selection))).toEqual({ rows: [3, 1] });
});

test('images of other filters are not shown under new filters whose list fails', async () => {
  const { list, nextRequest } = delayed();
  const shown = list.show({ label: 'a' });
  (await nextRequest()).answer(3, 1);
  await shown;
  list.selection = all(list.selection);
  const other = list.show({ label: 'b' });
  const request = await nextRequest();
  expect([list.isComplete, list.n]).toEqual([false, 2]); // still those of the former filters
  request.fail();
  await other;
  expect([list.rows, list.nSelected, list.isComplete]).toEqual([null, 0, false]);
});
