// What the pages ask of jobs of any kind, trainings, evaluations, predictions and studies: to be stopped, resumed, removed, watched.
import { answer, api, at as address } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
/** What the stream of a job carries, by the name of the event. */
export type RunEvents = Schemas['RunEvents'];
export type EvaluationEvents = Schemas['EvaluationEvents'];
export type PredictionEvents = Schemas['PredictionEvents'];
export type StudyEvents = Schemas['StudyEvents'];

const at = (job_id: string) => ({ params: { path: { job_id } } });

export const stopJob = (id: string) => answer(api.POST('/api/v1/jobs/{job_id}/stop', at(id)));
/** End a training's fine-tuning now; test images and report follow. */
export const finishJob = (id: string) => answer(api.POST('/api/v1/jobs/{job_id}/finish', at(id)));
export const resumeJob = (id: string) => answer(api.POST('/api/v1/jobs/{job_id}/resume', at(id)));
export const removeJob = (id: string) => answer(api.DELETE('/api/v1/jobs/{job_id}', at(id)));
export const restoreJob = (id: string) => answer(api.POST('/api/v1/jobs/{job_id}/restore', at(id)));

/** The address of a job's event stream. */
export const eventsOfJob = (id: string) => address('jobs', id, 'events');
