// Deleted items that can still be restored.
import { api, every } from './client';
import { removeDataset, restoreDataset } from './datasets';
import { removeJob, restoreJob } from './jobs';
import { removeClassifier, restoreClassifier } from './predictions';
import type { components } from './schema';

export type DeletedItem = components['schemas']['DeletedItem'];

export const listDeleted = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/trash', { params: { query }, signal }));

export function remove({ kind, id }: Pick<DeletedItem, 'kind' | 'id'>): Promise<unknown> {
  if (kind === 'dataset') return removeDataset(id);
  return kind === 'classifier' ? removeClassifier(id) : removeJob(id);
}

export function restore({ kind, id }: Pick<DeletedItem, 'kind' | 'id'>): Promise<unknown> {
  if (kind === 'dataset') return restoreDataset(id);
  return kind === 'classifier' ? restoreClassifier(id) : restoreJob(id);
}
