// Delete and restore items of any kind. Deleted items can be restored for a while.
import { answer, api, every } from './client';
import type { components } from './schema';

export type DeletedItem = components['schemas']['DeletedItem'];
type Item = Pick<DeletedItem, 'kind' | 'id'>;

export const listDeleted = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/trash', { params: { query }, signal }));

const ofRun = (run_id: string) => ({ params: { path: { run_id } } });
const ofEvaluation = (evaluation_id: string) => ({ params: { path: { evaluation_id } } });
const ofPrediction = (prediction_id: string) => ({ params: { path: { prediction_id } } });
const ofStudy = (study_id: string) => ({ params: { path: { study_id } } });
const ofClassifier = (classifier_id: string) => ({ params: { path: { classifier_id } } });
const ofDataset = (dataset_id: string) => ({ params: { path: { dataset_id } } });

type Response = { error?: unknown; response: globalThis.Response };
type Requests = Record<DeletedItem['kind'], (id: string) => Promise<Response>>;

const REMOVE: Requests = {
  train: (id) => api.DELETE('/api/v1/runs/{run_id}', ofRun(id)),
  evaluate: (id) => api.DELETE('/api/v1/evaluations/{evaluation_id}', ofEvaluation(id)),
  predict: (id) => api.DELETE('/api/v1/predictions/{prediction_id}', ofPrediction(id)),
  study: (id) => api.DELETE('/api/v1/studies/{study_id}', ofStudy(id)),
  classifier: (id) => api.DELETE('/api/v1/classifiers/{classifier_id}', ofClassifier(id)),
  dataset: (id) => api.DELETE('/api/v1/datasets/{dataset_id}', ofDataset(id)),
};

const RESTORE: Requests = {
  train: (id) => api.POST('/api/v1/runs/{run_id}/restore', ofRun(id)),
  evaluate: (id) => api.POST('/api/v1/evaluations/{evaluation_id}/restore', ofEvaluation(id)),
  predict: (id) => api.POST('/api/v1/predictions/{prediction_id}/restore', ofPrediction(id)),
  study: (id) => api.POST('/api/v1/studies/{study_id}/restore', ofStudy(id)),
  classifier: (id) => api.POST('/api/v1/classifiers/{classifier_id}/restore', ofClassifier(id)),
  dataset: (id) => api.POST('/api/v1/datasets/{dataset_id}/restore', ofDataset(id)),
};

/** Delete an item. A classifier that was not imported is deleted with its training. */
export const remove = ({ kind, id }: Item): Promise<unknown> => answer(REMOVE[kind](id));
export const restore = ({ kind, id }: Item): Promise<unknown> => answer(RESTORE[kind](id));
