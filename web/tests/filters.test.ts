import { expect, test } from 'vitest';
import type { Filters } from '../src/api/lists';
import { filtersOf, isNarrowed, queryOf, galleryAddress } from '../src/features/datasets/gallery/filters';

function through(filters: Filters): Filters {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(queryOf(filters))) if (value !== null) query.set(name, value);
  return filtersOf(new URLSearchParams(query.toString()));
}

test('filters are restored from the address', () => {
  const all: Filters[] = [
    {},
    { label: 'a & b = <c>' },
    { label: '' },
    { group: 'slide 3', domain: 'x', search: 'ü?#', only: 'problem', sort: 'group' },
    { run: 'r1', part: 'excluded' },
    { only: 'near-duplicates', sort: 'near-duplicates' },
  ];
  for (const filters of all) expect(through(filters)).toEqual(filters);
});

test('unknown parameters are ignored', () => {
  expect(filtersOf(new URLSearchParams('sort=copies'))).toEqual({});
  expect(filtersOf(new URLSearchParams('only=x&part=test&sort=size&tab=images'))).toEqual({});
});

test('the order is not a filter', () => {
  expect(isNarrowed({ sort: 'label' })).toBe(false);
  expect(isNarrowed({ label: '' })).toBe(true);
});

test('address of a class', () => {
  expect(galleryAddress('d 1', { label: 'a b' })).toBe('datasets/d%201?tab=images&class=a+b');
});
