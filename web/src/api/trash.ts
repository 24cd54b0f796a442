// Delete and restore items of any kind. Deleted items can be restored for a while.
import { answer, api, every } from './client';
import { actOnJob } from './jobs';
import type { components } from './schema';

export type DeletedItem = components['schemas']['DeletedItem'];
type Item = Pick<DeletedItem, 'kind' | 'id'>;

export const listDeleted = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/trash', { params: { query }, signal }));

const ofJob = (job_id: string) => ({ params: { path: { job_id } } });
const ofDataset = (dataset_id: string) => ({ params: { path: { dataset_id } } });

/** Delete an item. A classifier that was not imported is deleted with its training. */
export function remove({ kind, id }: Item): Promise<unknown> {
  if (kind === 'dataset') return answer(api.DELETE('/api/v1/datasets/{dataset_id}', ofDataset(id)));
  return answer(api.DELETE('/api/v1/jobs/{job_id}', ofJob(id)));
}

export function restore({ kind, id }: Item): Promise<unknown> {
  if (kind === 'dataset') return answer(api.POST('/api/v1/datasets/{dataset_id}/restore', ofDataset(id)));
  return actOnJob('restore', id);
}
