// Filter, order and view of the images of a prediction, as parameters of the address.
import type { Filters } from '../../api/lists';
import { filterOf } from './corrections';

/** Lowest probability first, because most errors have low probabilities. */
export const SORTS = ['probability', '-probability', 'position'] as const;

export interface View {
  show: string; // all, review, corrected, warning, unfamiliar, unreadable, or class:NAME
  sort: (typeof SORTS)[number];
  search: string;
  isList: boolean; // false: gallery
}

export function viewOf(query: URLSearchParams): View {
  return {
    show: query.get('show') ?? 'all',
    sort: SORTS.find((sort) => sort === query.get('sort')) ?? 'probability',
    search: query.get('search') ?? '',
    isList: query.get('form') === 'list',
  };
}

/** The query of the server. */
export function rowQuery({ show, sort, search }: View, classes: readonly string[]): Filters {
  return { ...filterOf(show, classes), sort, ...(search ? { search } : {}) };
}

/** The address with another filter. Order, view and search stay. */
export function addressOf(id: string, query: URLSearchParams, show: string): string {
  const next = new URLSearchParams(query);
  next.set('show', show);
  return `predictions/${encodeURIComponent(id)}?${next}`;
}
