// Requests about finders of objects in fields of view, and previews of objects.
import { answer, api, every } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type ObjectsToCollect = Schemas['ObjectsToCollect'];
export type ObjectsPreview = Schemas['ObjectsPreview'];
export type ObjectExport = Schemas['NewObjectExport'];
export type FinderSettings = Schemas['FinderSettings'];
export type FinderPreview = Schemas['FinderPreview'];

const ofDataset = (dataset_id: string) => ({ params: { path: { dataset_id } } });
const ofImage = (dataset_id: string, row_id: number) => ({ params: { path: { dataset_id, row_id } } });

export const listFinders = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/finders', { params: { query }, signal }));

/** What is recognized in files of objects; nothing is created. */
export const previewObjects = (id: string, body: ObjectsToCollect, signal?: AbortSignal) =>
  answer(api.POST('/api/v1/datasets/{dataset_id}/objects-preview', { ...ofDataset(id), body, signal }));

/** The objects that a finder finds in an image with these settings. */
export const previewFinder = (
  id: string,
  row: number,
  body: Schemas['FinderToPreview'],
  signal?: AbortSignal,
) =>
  answer(
    api.POST('/api/v1/datasets/{dataset_id}/images/{row_id}/finder-preview', {
      ...ofImage(id, row),
      body,
      signal,
    }),
  );
