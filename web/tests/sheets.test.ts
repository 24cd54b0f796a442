import { expect, test, vi } from 'vitest';
import { SheetLoader, sheetsWanted } from '../src/images/gallery/sheets';

test('visible sheets come first, then those ahead', () => {
  expect(sheetsWanted(64, 191, 10_000, 0, 8)).toEqual([1, 2, 3, 4, 0]);
  expect(sheetsWanted(640, 700, 10_000, -1, 8)).toEqual([10, 9, 8, 7, 11]);
  expect(sheetsWanted(0, 10, 11, 0, 8)).toEqual([0]);
  expect(sheetsWanted(0, -1, 0, 0, 8)).toEqual([]);
});

test('faster scrolling loads more sheets ahead', () => {
  expect(sheetsWanted(0, 63, 10_000, 60, 10).length).toBeGreaterThan(
    sheetsWanted(0, 63, 10_000, 0, 10).length,
  );
});

function loader(parallel = 2, keep = 3) {
  const started: string[] = [];
  const aborted: string[] = [];
  const finish = new Map<string, () => void>();
  const dropped: string[] = [];
  const made = new SheetLoader<string>({
    load: (sheet, signal) =>
      new Promise((resolve, reject) => {
        started.push(sheet);
        finish.set(sheet, () => resolve(`sheet ${sheet}`));
        signal.addEventListener('abort', () => {
          aborted.push(sheet);
          reject(new Error('aborted'));
        });
      }),
    onloaded: vi.fn(),
    ondropped: (sheet) => dropped.push(sheet),
    parallel,
    keep,
  });
  const done = async (sheet: string) => {
    finish.get(sheet)?.();
    await new Promise((resolve) => setTimeout(resolve));
  };
  return { made, started, aborted, dropped, done };
}

test('few sheets load at a time', async () => {
  const { made, started, done } = loader();
  made.want(['5', '6', '7']);
  expect(started).toEqual(['5', '6']);
  await done('5');
  expect(started).toEqual(['5', '6', '7']);
  expect(made.get('5')).toBe('sheet 5');
});

test('with a slow server, sheets that will be visible come first', () => {
  const wanted = sheetsWanted(0, 63, 100_000, 50, 10, 1); // 500 cells later
  expect(wanted.slice(0, 2)).toEqual([7, 8]);
  expect(wanted).toContain(0);
});

test('sheets that were scrolled past are canceled', () => {
  const { made, started, aborted } = loader();
  made.want(['0', '1', '2']);
  made.want(['1', '40']);
  expect(aborted).toEqual(['0']);
  expect(started).toEqual(['0', '1', '40']);
});

test('recently used sheets are cached', async () => {
  const { made, dropped, done } = loader(1, 2);
  for (const sheet of ['0', '1']) {
    made.want([sheet]);
    await done(sheet);
  }
  made.want(['0']);
  made.want(['2']);
  await done('2');
  expect(dropped).toEqual(['1']);
  expect(made.get('0')).toBe('sheet 0');
});
