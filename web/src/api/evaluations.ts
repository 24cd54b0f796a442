// Requests for evaluations on external test sets, and for the evaluated images of runs and evaluations.
import { answer, api, at, every } from './client';
import { resultsOf } from './jobs';
import { imagesOfJob } from './lists';
import type { components } from './schema';

type Schemas = components['schemas'];

export type Evaluation = Schemas['EvaluationState'];
/** The content of metrics.json that pages use. */
export interface Metrics {
  classes: string[];
  confusion_matrix: number[][]; // rows are true classes, columns predicted ones
  positive_class?: string | null; // of two classes
}
export type EvaluationResults = Omit<Schemas['EvaluationResults'], 'metrics'> & { metrics: Metrics };

const ofRun = (run_id: string) => ({ params: { path: { run_id } } });

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
/** Queue the adaptation of a training to the images of a dataset; the answer is the new training. */
export const startAdaptation = (run: string, body: Schemas['NewAdaptation']) =>
  answer(api.POST('/api/v1/runs/{run_id}/adaptations', { ...ofRun(run), body }));
export const readEvaluationResults = (id: string, signal?: AbortSignal) =>
  resultsOf<EvaluationResults>(id, signal);

/** Results that runs and evaluations have in common. */
export type Measurement = Omit<EvaluationResults, 'comparable'>;
/** Whether the classifier was adapted to another laboratory, of which there are no test images. */
export const isAdapted = ({ reasons }: Measurement): boolean =>
  reasons.some(({ code }) => code.startsWith('limit-adapted'));
export type ReportSection = Schemas['ReportSection'];
export type MetricValue = Schemas['MetricValue'];
export type SectionCell = Schemas['CellData'];

/** Rows of a run or an evaluation, with their pictures. */
export interface EvaluatedImages extends ReturnType<typeof imagesOfJob> {
  job: string; // id of a training or an evaluation
  figure: (name: string, kind: 'svg' | 'png' | 'csv') => string; // address of a figure of the report
}

/** The images of a training or an evaluation. */
export const evaluatedImages = (id: string): EvaluatedImages => ({
  ...imagesOfJob(id),
  job: id,
  figure: (name, kind) => at('jobs', id, 'figures', `${name}.${kind}`),
});
