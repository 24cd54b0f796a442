// Requests for jobs of any kind (trainings, evaluations, predictions, studies): stop, resume, log.
import { answer, api, at as address, Problem } from './client';
import type { components, operations } from './schema';

type Schemas = components['schemas'];
type AnyJob = operations['get_job']['responses'][200]['content']['application/json'];

const at = (job_id: string) => ({ params: { path: { job_id } } });

type Action = 'stop' | 'finish' | 'resume' | 'restore'; // finish: end the fine-tuning of a training now
export const actOnJob = (action: Action, job_id: string) =>
  answer(api.POST('/api/v1/jobs/{job_id}/{action}', { params: { path: { job_id, action } } }));
/** Stop the job whose result a page shows. If there is none or it has ended, nothing happens. */
export const cancelJob = async (id: string | null | undefined): Promise<void> => {
  if (!id) return;
  try {
    await actOnJob('stop', id);
  } catch (error) {
    if (!(error instanceof Problem && error.status === 409)) throw error;
  }
};

/** A job of this kind. Jobs of other kinds are not found. */
export const readJob = <K extends AnyJob['kind']>(kind: K, id: string, signal?: AbortSignal) =>
  answer(
    api.GET('/api/v1/jobs/{job_id}', { params: { path: { job_id: id }, query: { kind } }, signal }),
  ) as Promise<Extract<AnyJob, { kind: K }>>;

/** The results of a job of a kind that the page knows. */
export const resultsOf = <Results>(id: string, signal?: AbortSignal) =>
  answer(
    api.GET('/api/v1/jobs/{job_id}/results', { ...at(id), signal }),
  ) as Promise<unknown> as Promise<Results>;

export type LogLine = Schemas['LogLine'];
/** The last lines of the log, oldest first. */
export async function readJobLog(id: string, limit: number): Promise<LogLine[]> {
  const params = { path: { job_id: id }, query: { limit } };
  return (await answer(api.GET('/api/v1/jobs/{job_id}/log', { params }))).items.reverse();
}

/** Address of the heat map (PNG); valid when the explanation is computed. */
export const explanationPicture = (job: string, row: number, version: string) =>
  `${address('jobs', job, 'rows', row, 'explanation', 'picture')}?v=${version}`;
