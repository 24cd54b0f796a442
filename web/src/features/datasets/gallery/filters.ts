// Which images of a dataset are looked at: kept in the address, so that a view can be gone back to and passed on.
import type { Filters } from '../../../api/datasets';

const ONLY = [
  'unreadable',
  'duplicate',
  'conflicting',
  'problem',
  'excluded',
  'changed',
  'questioned',
  'suspected',
  'confirmed',
  'near-duplicates',
] as const;
const PARTS = ['train', 'val', 'test', 'excluded'] as const;
const SORTS = ['position', 'label', 'group', 'label-quality', 'near-duplicates'] as const;

/** Whether a filter lists what a training says of the labels. */
export const isByRun = (only: Filters['only']) => only === 'questioned' || only === 'suspected';

/** The suspected label errors of a training, from which its gallery is opened. */
export const labelErrorsOf = (run: string) => `/runs/${encodeURIComponent(run)}?tab=label-errors`;

/** The word for images without a label: an empty value would vanish from the address. */
const UNLABELLED = '(none)';

function oneOf<T extends string>(value: string | null, allowed: readonly T[]): T | undefined {
  return allowed.find((word) => word === value);
}

export function filtersOf(query: URLSearchParams): Filters {
  const filters: Filters = {};
  const label = query.get('class');
  if (label !== null) filters.label = label === UNLABELLED ? '' : label;
  for (const name of ['group', 'domain', 'search'] as const) {
    const value = query.get(name);
    if (value) filters[name] = value;
  }
  const run = query.get('run');
  const only = oneOf(query.get('only'), ONLY);
  if (only && (!isByRun(only) || run)) filters.only = only;
  const part = oneOf(query.get('part'), PARTS);
  if (run && (part || isByRun(only))) {
    filters.run = run;
    if (part) filters.part = part;
  }
  const sort = oneOf(query.get('sort'), SORTS);
  const isPossible =
    sort === 'label-quality'
      ? isByRun(filters.only)
      : sort !== 'near-duplicates' || filters.only === 'near-duplicates';
  if (sort && sort !== 'position' && isPossible) filters.sort = sort;
  return filters;
}

/** What to change in the address for these filters; null takes a word away. */
export function queryOf(filters: Filters): Record<string, string | null> {
  return {
    class: filters.label === undefined || filters.label === null ? null : filters.label || UNLABELLED,
    group: filters.group ?? null,
    domain: filters.domain ?? null,
    only: filters.only ?? null,
    search: filters.search ?? null,
    part: filters.part ?? null,
    run: filters.run ?? null,
    sort: filters.sort && filters.sort !== 'position' ? filters.sort : null,
  };
}

export function galleryAddress(id: string, filters: Filters): string {
  const query = new URLSearchParams({ tab: 'images' });
  for (const [name, value] of Object.entries(queryOf(filters))) if (value !== null) query.set(name, value);
  return `/datasets/${encodeURIComponent(id)}?${query.toString()}`;
}

/** Whether anything narrows the gallery; the order does not. */
export function isNarrowed(filters: Filters): boolean {
  return Object.entries(filters).some(
    ([name, value]) => name !== 'sort' && value !== undefined && value !== null,
  );
}
