// What a person answered about images of a training, an evaluation or a prediction.
import type { PredictionRow } from '../api/lists';
import type { Review } from '../api/predictions';
import { texts } from '../texts';

export const NO_REVIEW: Review = { correction: null, excluded: null };
export const isReviewed = ({ correction, excluded }: Review) => correction !== null || excluded !== null;

/** The class, or the reason of an exclusion; null without an answer. */
export const answerText = ({ correction, excluded }: Review): string | null =>
  excluded === null ? correction : texts.predict.excluded[excluded];

type Repeated = Pick<PredictionRow, 'row_id' | 'first_row'>;

/** The numbers of the other rows of an image. */
export function repeatsOf(row: Repeated, rows: Iterable<Repeated>): number[] {
  const firstOf = ({ row_id, first_row }: Repeated) => first_row ?? row_id;
  return [...rows]
    .filter((other) => firstOf(other) === firstOf(row) && other.row_id !== row.row_id)
    .map(({ row_id }) => row_id);
}
