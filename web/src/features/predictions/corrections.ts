// Corrections of predictions: keys, filters and changes of the list.
import { classOfKey } from '../../images/classes';
import { texts } from '../../texts';
import { percent } from '../../texts/numbers';
import type { Review, Exclusion, PredictionRow } from '../../api/predictions';

export interface Correction {
  row_id: number;
  before: Review;
  review: Review;
}

export const NO_REVIEW: Review = { correction: null, excluded: null };

/** Keys of exclusions. Letters and digits are the keys of classes. */
export const EXCLUSION_KEYS: Record<Exclusion, string> = { 'none-of-these': ',', unusable: '.' };

export const isReviewed = ({ correction, excluded }: Review) => correction !== null || excluded !== null;

export const isSameReview = (a: Review, b: Review) =>
  a.correction === b.correction && a.excluded === b.excluded;

/** What a person sees beside an image, for screen readers. */
export function factsOf(row: PredictionRow): string[] {
  const { predict, runs } = texts;
  const reviewed =
    row.excluded !== null
      ? predict.excluded[row.excluded]
      : row.correction === row.predicted
        ? predict.marks.confirmed
        : runs.retraining.corrected(row.correction ?? '');
  return [
    ...(row.predicted ? [predict.predictedClass(row.predicted), percent(row.probability)] : []),
    isReviewed(row) ? reviewed : predict.decisions[row.decision],
    row.predicted ? null : row.reason,
    row.warning && predict.warning,
  ].filter((fact) => !!fact) as string[];
}

export type Act =
  | { kind: 'correct'; review: Review }
  | { kind: 'clear' }
  | { kind: 'undo' }
  | { kind: 'move'; by: number }
  | { kind: 'open' };

/** The action of a key; null if the key has none. In a gallery, up and down move by a row of `nColumns`. */
export function actionOf(event: KeyboardEvent, classes: readonly string[], nColumns = 1): Act | null {
  const isUndo = event.key.toLowerCase() === 'z' && (event.ctrlKey || event.metaKey) && !event.shiftKey;
  if (isUndo) return { kind: 'undo' };
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  switch (event.key) {
    case 'Delete':
    case 'Backspace':
      return { kind: 'clear' };
    case 'ArrowDown':
      return { kind: 'move', by: nColumns };
    case 'ArrowUp':
      return { kind: 'move', by: -nColumns };
    case 'ArrowRight':
      return nColumns > 1 ? { kind: 'move', by: 1 } : null;
    case 'ArrowLeft':
      return nColumns > 1 ? { kind: 'move', by: -1 } : null;
    case 'Enter':
      return { kind: 'open' };
  }
  const index = classOfKey(event.key, classes.length);
  const label = index === null ? undefined : classes[index];
  if (label !== undefined) return { kind: 'correct', review: { correction: label, excluded: null } };
  const [excluded] = Object.entries(EXCLUSION_KEYS).find(([, key]) => key === event.key) ?? [];
  return excluded === undefined
    ? null
    : { kind: 'correct', review: { correction: null, excluded: excluded as Exclusion } };
}

/** The query of the server for a filter. */
export function filterOf(
  show: string,
  classes: readonly string[],
): { only?: 'review' | 'corrected' | 'warning'; decision?: string } {
  if (show === 'review' || show === 'corrected' || show === 'warning') return { only: show };
  if ((show === 'unreadable' || show === 'unfamiliar') && !classes.includes(show)) return { decision: show };
  const name = show.startsWith('class:') ? show.slice('class:'.length) : '';
  return name ? { decision: name } : {};
}

/**
 * Whether the server still lists a row with this filter. A correction can add a row to a list or remove it.
 */
export function isListed(row: PredictionRow, show: string): boolean {
  if (show === 'review') return !isReviewed(row);
  return show !== 'corrected' || isReviewed(row);
}

/** Merge a reloaded list. If the current row is not in it, it keeps its place between its neighbors. */
export function mergeRows(
  before: readonly PredictionRow[],
  fresh: readonly PredictionRow[],
  currentKey: number | null,
): PredictionRow[] {
  const index = before.findIndex((row) => row.row_id === currentKey);
  if (index < 0 || fresh.some((row) => row.row_id === currentKey)) return [...fresh];
  const after = new Set(before.slice(index + 1).map((row) => row.row_id));
  const place = fresh.findIndex((row) => after.has(row.row_id));
  const end = place < 0 ? fresh.length : place;
  return [...fresh.slice(0, end), before[index]!, ...fresh.slice(end)];
}
