// All that these pages ask the server for.
import type { components, operations } from '../../api/schema';
import { answer, api } from '../../lib/api';

type Schemas = components['schemas'];
export type Run = Schemas['RunState'];
export type RunDetail = Schemas['RunStory'];
export type Training = Schemas['Training'];
export type LogLine = Schemas['LogLine'];
export type RunState = Run['state'];
export type Results = Schemas['Results'];
export type ClassResult = Schemas['ClassResult'];
export type Comparison = Schemas['Comparison'];
export type Model = Schemas['AdvisedModel'];
export type Classifier = Schemas['Classifier'];
export type Prediction = Schemas['PredictionState'];
export type PredictionRow = Schemas['Row'];

const id = (value: string) => ({ params: { path: { run_id: value } } });
const prediction = (value: string) => ({ params: { path: { prediction_id: value } } });

/** Which rows, in which order, and which page of them: as galleries of datasets are asked for. */
export type RowQuery = NonNullable<operations['list_run_rows']['parameters']['query']>;

export const server = {
  runs: () => answer(api.GET('/api/v1/runs')),
  run: (run: string) => answer(api.GET('/api/v1/runs/{run_id}', id(run))),
  log: (run: string) => answer(api.GET('/api/v1/runs/{run_id}/log', id(run))),
  startRun: (body: Schemas['NewRun']) => answer(api.POST('/api/v1/runs', { body })),
  stopRun: (run: string) => answer(api.POST('/api/v1/runs/{run_id}/stop', id(run))),
  resumeRun: (run: string) => answer(api.POST('/api/v1/runs/{run_id}/resume', id(run))),
  deleteRun: (run: string) => answer(api.DELETE('/api/v1/runs/{run_id}', id(run))),
  restoreRun: (run: string) => answer(api.POST('/api/v1/runs/{run_id}/restore', id(run))),
  renameRun: (run: string, name: string) =>
    answer(api.PATCH('/api/v1/runs/{run_id}', { ...id(run), body: { name } })),
  results: (run: string) => answer(api.GET('/api/v1/runs/{run_id}/results', id(run))) as Promise<Results>,
  rows: (run: string, query: RowQuery) =>
    answer(api.GET('/api/v1/runs/{run_id}/rows', { params: { path: { run_id: run }, query } })),
  compare: (runs: string[]) =>
    answer(api.GET('/api/v1/runs/compare', { params: { query: { runs: runs.join(',') } } })),
  classifiers: () => answer(api.GET('/api/v1/classifiers')),
  /** The body is the file itself, which the generated client would turn into JSON. */
  addClassifier: (file: File) =>
    answer(
      api.POST('/api/v1/classifiers', {
        params: { query: { name: file.name.replace(/\.coverslip$/, '') } },
        body: file as unknown as string,
        bodySerializer: (body) => body,
        headers: { 'Content-Type': 'application/octet-stream' },
      }),
    ),
  models: () => answer(api.GET('/api/v1/models')),
  predictions: () => answer(api.GET('/api/v1/predictions')),
  prediction: (one: string) => answer(api.GET('/api/v1/predictions/{prediction_id}', prediction(one))),
  predict: (body: Schemas['NewPrediction']) => answer(api.POST('/api/v1/predictions', { body })),
  stopPrediction: (one: string) =>
    answer(api.POST('/api/v1/predictions/{prediction_id}/stop', prediction(one))),
  resumePrediction: (one: string) =>
    answer(api.POST('/api/v1/predictions/{prediction_id}/resume', prediction(one))),
  restorePrediction: (one: string) =>
    answer(api.POST('/api/v1/predictions/{prediction_id}/restore', prediction(one))),
  deletePrediction: (one: string) =>
    answer(api.DELETE('/api/v1/predictions/{prediction_id}', prediction(one))),
  predictionRows: (one: string, query: RowQuery) =>
    answer(
      api.GET('/api/v1/predictions/{prediction_id}/rows', {
        params: { path: { prediction_id: one }, query },
      }),
    ),
  correct: (one: string, k: number, label: string | null) =>
    answer(
      api.PUT('/api/v1/predictions/{prediction_id}/rows/{k}/correction', {
        params: { path: { prediction_id: one, k } },
        body: { label },
      }),
    ),
  asDataset: (one: string, only: 'corrected' | 'all') =>
    answer(
      api.POST('/api/v1/predictions/{prediction_id}/dataset', {
        ...prediction(one),
        body: { only, name: null },
      }),
    ),
};

/** An address below the API, for pictures, downloads and event streams. */
export function at(...parts: (string | number)[]): string {
  return `/api/v1/${parts.map((part) => encodeURIComponent(part)).join('/')}`;
}

/** Whether something still goes on, so that its page should watch it. */
export function isGoing(state: RunState): boolean {
  return state === 'queued' || state === 'starting' || state === 'running' || state === 'stopping';
}
