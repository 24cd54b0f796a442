// Filters of the gallery. They are part of the address, so that links and the back button restore them.
import type { Filters } from '../../../api/lists';
import { texts } from '../../../texts';

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
  'suggested',
  'reserved',
] as const;
const PARTS = ['train', 'val', 'test', 'excluded'] as const;
const SORTS = [
  'position',
  'label',
  'group',
  'label-quality',
  'near-duplicates',
  'suggested',
  'certainty',
  '-certainty',
] as const;

/** Whether filters or their order need the predictions of live. */
export const isOfLive = ({ only, sort, predicted }: Filters) =>
  only === 'suggested' || sort === 'certainty' || sort === '-certainty' || predicted !== undefined;

/** Whether a filter lists images whose labels a training questions. */
export const isByRun = (only: Filters['only']) => only === 'questioned' || only === 'suspected';

/** Address of the suspected label errors of a training. */
export const labelErrorsOf = (run: string) => `runs/${encodeURIComponent(run)}?tab=images&show=suspected`;

/** The value for images without a label. An empty value would be removed from the address. */
const UNLABELED = '(none)';

function oneOf<T extends string>(value: string | null, allowed: readonly T[]): T | undefined {
  return allowed.find((word) => word === value);
}

export function filtersOf(query: URLSearchParams): Filters {
  const filters: Filters = {};
  const label = query.get('class');
  if (label !== null) filters.label = label === UNLABELED ? '' : label;
  for (const name of ['group', 'domain', 'search', 'predicted'] as const) {
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
      : (sort !== 'near-duplicates' && sort !== 'suggested') || filters.only === sort;
  if (sort && sort !== 'position' && isPossible) filters.sort = sort;
  return filters;
}

/** The parameters of the address for these filters; null removes a parameter. */
export function queryOf(filters: Filters): Record<string, string | null> {
  return {
    class: filters.label === undefined || filters.label === null ? null : filters.label || UNLABELED,
    group: filters.group ?? null,
    domain: filters.domain ?? null,
    predicted: filters.predicted ?? null,
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
  return `datasets/${encodeURIComponent(id)}?${query.toString()}`;
}

/** Whether a filter is active. The order does not count. */
export function isNarrowed(filters: Filters): boolean {
  return Object.entries(filters).some(
    ([name, value]) => name !== 'sort' && value !== undefined && value !== null,
  );
}

export interface Chip {
  text: string;
  without: Filters; // changes that remove this filter
}

/** Return the active filters. `runName` returns the name of a training by its id. */
export function chipsOf(filters: Filters, runName: (id: string) => string): Chip[] {
  const words = texts.datasets.gallery;
  const chips: Chip[] = [];
  const add = (field: string, value: string | null | undefined, without: Filters) => {
    if (value) chips.push({ text: words.chip(field, value), without });
  };
  if (filters.label != null) add(words.fields.label, filters.label || words.unlabeled, { label: undefined });
  add(words.fields.domain, filters.domain, { domain: undefined });
  add(words.fields.predicted, filters.predicted, { predicted: undefined });
  add(words.fields.group, filters.group, { group: undefined });
  const only = filters.only ?? '';
  add(words.fields.only, words.only[only] ?? words.onlyByRun[only], { only: undefined });
  add(words.fields.search, filters.search, { search: undefined });
  if (filters.run && filters.part)
    add(runName(filters.run), words.parts[filters.part], { run: undefined, part: undefined });
  return chips;
}
