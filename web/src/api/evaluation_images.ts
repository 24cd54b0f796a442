// The images of an evaluation: the test set of a run, or an external test set.
import { answer, api, at } from './client';
import type { components, operations } from './schema';

/** Results that runs and evaluations have in common. */
export type Measurement = Omit<
  components['schemas']['EvaluationResults'],
  'against_own_test' | 'test_set' | 'primary' | 'comparable'
>;
export type ReportSection = components['schemas']['ReportSection'];

/** Filters, order and page of the rows. */
export type RowQuery = NonNullable<operations['list_run_rows']['parameters']['query']>;

/** The fields that a page needs of a row of a run, an evaluation or a prediction. */
export interface PictureRow {
  group?: string | null; // group by which the images of a training were split
  k: number;
  image_id: string;
  path: string;
  label?: string | null;
  predicted: string | null;
  probability: number | null;
  decision: string;
  probabilities: Record<string, number | null>;
  reason?: string | null;
  correction?: string | null; // class that a person assigned
}

/** Rows of a run or an evaluation, with their pictures. */
export interface EvaluatedImages {
  list: (query: RowQuery, signal?: AbortSignal) => Promise<{ items: PictureRow[]; total: number }>;
  thumbnail: (k: number, side: number) => string;
  picture: (k: number) => string;
  job: string; // id of a training or an evaluation
  confusionMatrix: string; // address of a CSV file
  figure: (name: string, kind: 'svg' | 'png' | 'csv') => string; // address of a figure of the report
  datasetId: string | null; // dataset in which labels are corrected
  /**
   * Correct the label of a row; null removes the correction. `change` is the change of the dataset's labels,
   * if any.
   */
  correct: (k: number, label: string | null) => Promise<{ row: PictureRow; change: number | null }>;
}

export const imagesOfRun = (id: string, datasetId: string | null): EvaluatedImages => ({
  job: id,
  datasetId,
  correct: (k, label) =>
    answer(
      api.PUT('/api/v1/runs/{run_id}/rows/{k}/correction', {
        params: { path: { run_id: id, k } },
        body: { label },
      }),
    ),
  list: (query, signal) =>
    answer(api.GET('/api/v1/runs/{run_id}/rows', { params: { path: { run_id: id }, query }, signal })),
  ...picturesAt('runs', id),
});

export const imagesOfEvaluation = (id: string, datasetId: string | null): EvaluatedImages => ({
  job: id,
  datasetId,
  correct: (k, label) =>
    answer(
      api.PUT('/api/v1/evaluations/{evaluation_id}/rows/{k}/correction', {
        params: { path: { evaluation_id: id, k } },
        body: { label },
      }),
    ),
  list: (query, signal) =>
    answer(
      api.GET('/api/v1/evaluations/{evaluation_id}/rows', {
        params: { path: { evaluation_id: id }, query },
        signal,
      }),
    ),
  ...picturesAt('evaluations', id),
});

function picturesAt(
  what: string,
  id: string,
): Pick<EvaluatedImages, 'thumbnail' | 'picture' | 'confusionMatrix' | 'figure'> {
  return {
    figure: (name, kind) => at(what, id, 'figures', `${name}.${kind}`),
    confusionMatrix: at(what, id, 'download', 'confusion-matrix'),
    thumbnail: (k, side) => `${at(what, id, 'rows', k, 'thumbnail')}?side=${side}`,
    picture: (k) => at(what, id, 'rows', k, 'picture'),
  };
}
