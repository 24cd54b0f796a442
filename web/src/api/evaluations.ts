// Requests about evaluations of finished trainings on external test sets.
import { answer, api } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Evaluation = Schemas['EvaluationState'];
export type EvaluationResults = Schemas['EvaluationResults'];
export type EvaluationOutlook = Schemas['EvaluationOutlook'];

const ofRun = (run_id: string) => ({ params: { path: { run_id } } });
const at = (evaluation_id: string) => ({ params: { path: { evaluation_id } } });

export const listEvaluations = (run: string, signal?: AbortSignal) =>
  answer(api.GET('/api/v1/runs/{run_id}/evaluations', { ...ofRun(run), signal }));
export const readOutlook = (run: string, dataset: string, signal?: AbortSignal) =>
  answer(
    api.GET('/api/v1/runs/{run_id}/evaluation-outlook', {
      params: { path: { run_id: run }, query: { dataset_id: dataset } },
      signal,
    }),
  );
export const startEvaluation = (run: string, body: Schemas['NewEvaluation']) =>
  answer(api.POST('/api/v1/runs/{run_id}/evaluations', { ...ofRun(run), body }));
export const readEvaluation = (id: string, signal?: AbortSignal) =>
  answer(api.GET('/api/v1/evaluations/{evaluation_id}', { ...at(id), signal }));
export const readEvaluationResults = (id: string, signal?: AbortSignal) =>
  answer(api.GET('/api/v1/evaluations/{evaluation_id}/results', { ...at(id), signal }));
