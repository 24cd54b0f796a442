// The images of a prediction on pages: cells, and filter, order and view as parameters of the address.
import type { Filters, PredictionRow } from '../../api/lists';
import { isReviewed } from '../../images/reviews';
import type { CellInfo } from '../../images/gallery/Cell.svelte';
import { texts } from '../../texts';
import { percent } from '../../texts/numbers';

/** What a person sees beside an image, for screen readers. */
export function factsOf(row: PredictionRow): string[] {
  const words = texts.predict;
  const reviewed =
    row.excluded !== null
      ? words.excluded[row.excluded]
      : row.correction === row.predicted
        ? words.marks.confirmed
        : texts.runs.retraining.corrected(row.correction ?? '');
  return [
    ...(row.predicted ? [words.predictedClass(row.predicted), percent(row.probability)] : []),
    isReviewed(row) ? reviewed : words.decisions[row.decision],
    row.predicted ? null : row.reason,
    row.warning && words.warning,
  ].filter((fact) => !!fact) as string[];
}

const SIGNS = { confirmed: '✓', corrected: '✎', excluded: '✕' };

/** The cell of a predicted image. A badge shows that it was confirmed, corrected or excluded. */
export function cellOf(row: PredictionRow): CellInfo {
  const kind =
    row.excluded !== null ? 'excluded' : row.correction === row.predicted ? 'confirmed' : 'corrected';
  const badge = { sign: SIGNS[kind], title: texts.predict.marks[kind], isBad: kind === 'excluded' };
  return { name: row.image_id, facts: factsOf(row), badge: isReviewed(row) ? badge : null };
}

const DECISIONS = ['uncertain', 'unfamiliar', 'unreadable'];

/** The query of the server for a filter. */
export function filterOf(
  show: string,
  classes: readonly string[],
): { only?: 'review' | 'corrected' | 'excluded' | 'warning'; decision?: string } {
  if (show === 'review' || show === 'corrected' || show === 'excluded' || show === 'warning')
    return { only: show };
  if (DECISIONS.includes(show) && !classes.includes(show)) return { decision: show };
  const name = show.startsWith('class:') ? show.slice('class:'.length) : '';
  return name ? { decision: name } : {};
}

/** Lowest probability first, because most errors have low probabilities. */
export const SORTS = ['probability', '-probability', 'position'] as const;

export interface View {
  show: string; // all, review, corrected, excluded, warning, unfamiliar, unreadable, or class:NAME
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
