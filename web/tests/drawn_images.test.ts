import { beforeEach, expect, test, vi } from 'vitest';
import { DrawnImages } from '../src/features/draws/drawn_images.svelte';
import { notices } from '../src/state/notices.svelte';
import { afterSaving } from '../src/state/queue';

interface Image {
  row_id: number;
  label: string | null;
  made: string | null;
}

/** Two images whose labels are saved when the test says so. */
async function page() {
  let saved: Image[] = [1, 2].map((row_id) => ({ row_id, label: null, made: null }));
  const saves: ((isSaved: boolean) => void)[] = [];
  const reads: (() => void)[] = [];
  const drawn = new DrawnImages<Image, { images: Image[] }>(
    (signal) =>
      afterSaving(async () => {
        signal.throwIfAborted();
        await new Promise<void>((resolve) => reads.push(resolve));
        signal.throwIfAborted();
        return { images: saved };
      }),
    () => 'Ada',
  );
  const read = async () => {
    await vi.waitFor(() => expect(reads).not.toEqual([]));
    reads.shift()!();
    await vi.waitFor(() => expect(drawn.drawing.loading).toBe(false));
  };
  void drawn.drawing.reload();
  await read();
  const label = (row: number, label: string) => {
    const before = drawn.images.find(({ row_id }) => row_id === row)!;
    const labeled = { ...before, label, made: '' };
    drawn.label(labeled, async () => {
      const isSaved = await new Promise<boolean>((resolve) => saves.push(resolve));
      if (!isSaved) throw new Error('refused');
      saved = saved.map((each) => (each.row_id === row ? labeled : each));
    });
  };
  const answer = async (isSaved: boolean) => {
    await vi.waitFor(() => expect(saves).not.toEqual([]));
    saves.shift()!(isSaved);
  };
  return { drawn, reads, read, label, answer, shown: () => drawn.images.map((image) => image.label) };
}

beforeEach(() => {
  vi.stubGlobal('addEventListener', vi.fn());
  vi.stubGlobal('removeEventListener', vi.fn());
  vi.spyOn(notices, 'showProblem').mockReturnValue(undefined as never);
});

test('after labels that cannot be saved, the saved ones are shown', async () => {
  const { read, label, answer, shown } = await page();
  label(1, 'a');
  label(1, 'b');
  label(2, 'c');
  expect(shown()).toEqual(['b', 'c']); // before they are saved
  for (const isSaved of [false, false, true]) await answer(isSaved);
  await read();
  expect(shown()).toEqual([null, 'c']);
});

test('a label that cannot be saved does not take a later one of the image with it', async () => {
  const { read, label, answer, shown } = await page();
  label(1, 'a');
  label(1, 'b');
  await answer(false);
  expect(shown()).toEqual(['b', null]);
  await answer(true);
  await read();
  expect(shown()).toEqual(['b', null]);
});

test('a label during the request of the saved ones repeats it', async () => {
  const { reads, read, label, answer, shown } = await page();
  label(1, 'a');
  await answer(false);
  await vi.waitFor(() => expect(reads).toHaveLength(1));
  label(2, 'c');
  reads.shift()!(); // too late
  await answer(true);
  await read();
  expect(shown()).toEqual([null, 'c']);
});
