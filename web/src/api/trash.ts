// Deleted items that can still be restored.
import { api, every } from './client';
import { restoreDataset } from './datasets';
import { restoreJob } from './jobs';
import { restoreClassifier } from './predictions';
import type { components } from './schema';

export type DeletedItem = components['schemas']['DeletedItem'];

export const listDeleted = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/trash', { params: { query }, signal }));

export function restore({ kind, id }: DeletedItem): Promise<unknown> {
  if (kind === 'dataset') return restoreDataset(id);
  return kind === 'classifier' ? restoreClassifier(id) : restoreJob(id);
}
