// Requests for evaluations on external test sets, and for the evaluated images of runs and evaluations.
import { answer, api, at, every } from './client';
import { resultsOf } from './jobs';
import { imagesOfJob } from './lists';
import type { components } from './schema';

type Schemas = components['schemas'];

export type Evaluation = Schemas['EvaluationState'];
export type EvaluationResults = Schemas['EvaluationResults'];

const ofRun = (run_id: string) => ({ params: { path: { run_id } } });
const ofEvaluation = (evaluation_id: string) => ({ params: { path: { evaluation_id } } });

export const listEvaluations = (run: string, signal?: AbortSignal) =>
  every((query) =>
    api.GET('/api/v1/runs/{run_id}/evaluations', { params: { path: { run_id: run }, query }, signal }),
  );
export const listTestSets = (run: string, signal?: AbortSignal) =>
  every((query) =>
    api.GET('/api/v1/runs/{run_id}/test-sets', { params: { path: { run_id: run }, query }, signal }),
  );
export const startEvaluation = (run: string, body: Schemas['NewEvaluation']) =>
  answer(api.POST('/api/v1/runs/{run_id}/evaluations', { ...ofRun(run), body }));
export const readEvaluation = (id: string, signal?: AbortSignal) =>
  answer(api.GET('/api/v1/evaluations/{evaluation_id}', { ...ofEvaluation(id), signal }));
export const readEvaluationResults = (id: string, signal?: AbortSignal) =>
  resultsOf<EvaluationResults>(id, signal);

/** Results that runs and evaluations have in common. */
export type Measurement = Omit<
  Schemas['EvaluationResults'],
  'against_own_test' | 'test_set' | 'primary' | 'comparable'
>;
export type ReportSection = Schemas['ReportSection'];
export type SectionCell = Schemas['CellData'];

/** The fields that a page needs of a row of a run, an evaluation or a prediction. */
export interface PictureRow {
  group?: string | null; // group by which the images of a training were split
  row_id: number;
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
export interface EvaluatedImages extends ReturnType<typeof imagesOfJob> {
  job: string; // id of a training or an evaluation
  confusionMatrix: string; // address of a CSV file
  figure: (name: string, kind: 'svg' | 'png' | 'csv') => string; // address of a figure of the report
  datasetId: string | null; // dataset in which labels are corrected
  /**
   * Correct the label of a row; null removes the correction. `change` is the change of the dataset's labels,
   * if any.
   */
  correct: (row: number, label: string | null) => Promise<{ row: PictureRow; change: number | null }>;
}

/** The images of a training or an evaluation. */
export function evaluatedImages(id: string, datasetId: string | null): EvaluatedImages {
  return {
    ...imagesOfJob(id),
    job: id,
    datasetId,
    correct: (row_id, label) =>
      answer(
        api.PUT('/api/v1/lists/{list_id}/rows/{row_id}/correction', {
          params: { path: { list_id: id, row_id } },
          body: { label },
        }),
      ),
    figure: (name, kind) => at('jobs', id, 'figures', `${name}.${kind}`),
    confusionMatrix: at('jobs', id, 'download', 'confusion-matrix'),
  };
}
