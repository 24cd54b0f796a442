// Which images of a prediction are shown, in which order and form, as the address says it.
import type { RowQuery } from '../../api/evaluation_images';
import { filterOf } from './corrections';

/** The least sure first: there the mistakes gather. */
export const SORTS = ['probability', '-probability', 'position'] as const;

export interface Shown {
  show: string; // all, review, corrected, warning, unfamiliar, unreadable, class:NAME
  sort: (typeof SORTS)[number];
  search: string;
  isList: boolean; // else a gallery
}

export function viewOf(query: URLSearchParams): Shown {
  return {
    show: query.get('show') ?? 'all',
    sort: SORTS.find((one) => one === query.get('sort')) ?? 'probability',
    search: query.get('search') ?? '',
    isList: query.get('form') === 'list',
  };
}

/** What the server is asked for. */
export function rowQuery({ show, sort, search }: Shown, classes: readonly string[]): RowQuery {
  return { ...filterOf(show, classes), sort, ...(search ? { search } : {}) };
}

/** The address with other images shown; order, form and search stay. */
export function addressOf(id: string, query: URLSearchParams, show: string): string {
  const next = new URLSearchParams(query);
  next.set('show', show);
  return `/predictions/${encodeURIComponent(id)}?${next}`;
}
