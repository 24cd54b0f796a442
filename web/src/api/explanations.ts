// Requests for explanations (heat maps) of predictions. The job is a training, an evaluation or a prediction.
import { answer, api, at } from './client';
import type { components } from './schema';

export type ExplanationState = components['schemas']['ExplanationState'];

const of = (job_id: string, k: number) => ({ params: { path: { job_id, k } } });

export const readExplanation = (job: string, k: number, signal?: AbortSignal) =>
  answer(api.GET('/api/v1/jobs/{job_id}/rows/{k}/explanation', { ...of(job, k), signal }));
export const requestExplanation = (job: string, k: number) =>
  answer(api.POST('/api/v1/jobs/{job_id}/rows/{k}/explanation', of(job, k)));
export const cancelExplanation = (job: string, k: number) =>
  answer(api.DELETE('/api/v1/jobs/{job_id}/rows/{k}/explanation', of(job, k)));

/** Address of the heat map (PNG); valid when the explanation is computed. */
export const explanationPicture = (job: string, k: number) =>
  at('jobs', job, 'rows', k, 'explanation', 'picture');
