import { expect, test } from 'vitest';
import { namesOf } from '../src/features/datasets/names';
import { moment } from '../src/texts/numbers';

const CREATED = '2026-03-01T10:00:00+00:00';
let n = 0;

/** The names of datasets from folders; without one, from an upload. */
function namesIn(...folders: readonly [name: string, folder: string | null][]): string[] {
  const datasets = folders.map(([name, path]) => ({
    id: String((n += 1)),
    name,
    kind: path === null ? ('upload' as const) : ('folders' as const),
    created: CREATED,
    sources: [
      { path: path ?? `/app/uploads/${n}`, contains: null, is_missing: false, domain: null, domains: [] },
    ],
  }));
  const names = namesOf(datasets);
  return datasets.map(({ id }) => names.get(id)!);
}

test('different names stay as they are', () => {
  expect(namesIn(['cells', '/a/cells'], ['plates', '/b/plates'])).toEqual(['cells', 'plates']);
});

test('equal names get what distinguishes their folders', () => {
  expect(namesIn(['cells', '/lab/2024/cells'], ['cells', '/lab/2025/cells'], ['x', '/x'])).toEqual([
    'cells (2024)',
    'cells (2025)',
    'x',
  ]);
  expect(namesIn(['c', '/a/x'], ['c', '/a/y'], ['c', '/b/x'])).toEqual(['c (a/x)', 'c (a/y)', 'c (b/x)']);
  expect(namesIn(['c', 'D:\\one\\c'], ['c', 'D:\\two\\c'])).toEqual(['c (one)', 'c (two)']);
});

test('without a folder of their own they get their times and numbers', () => {
  const time = moment(CREATED);
  expect(namesIn(['c', '/lab/c'], ['c', null])).toEqual(['c (lab)', `c (${time})`]);
  expect(namesIn(['c', '/lab/c'], ['c', '/lab/c'])).toEqual([`c (${time}, 2)`, `c (${time}, 1)`]);
});
