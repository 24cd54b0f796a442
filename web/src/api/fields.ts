// Requests about objects in fields of view that are read or found, and their exports.
import { answer, api, every } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type ObjectsState = Schemas['ObjectsState'];
export type ObjectsToCollect = Schemas['ObjectsToCollect'];
export type ObjectsPreview = Schemas['ObjectsPreview'];
export type ObjectExport = Schemas['ObjectExport'];
export type FinderSettings = Schemas['FinderSettings'];
export type FinderPreview = Schemas['FinderPreview'];

const ofDataset = (dataset_id: string) => ({ params: { path: { dataset_id } } });
const ofImage = (dataset_id: string, row_id: number) => ({ params: { path: { dataset_id, row_id } } });
const EXPORT = '/api/v1/predictions/{prediction_id}/objects-export';
const ofPrediction = (prediction_id: string) => ({ params: { path: { prediction_id } } });
export const readObjectExport = (id: string, signal?: AbortSignal) =>
  answer(api.GET(EXPORT, { ...ofPrediction(id), signal }));
export const startObjectExport = (id: string, body: ObjectExport) =>
  answer(api.POST(EXPORT, { ...ofPrediction(id), body }));

export const listFinders = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/finders', { params: { query }, signal }));

const OBJECTS = '/api/v1/datasets/{dataset_id}/objects';
export const readObjectsState = (id: string, signal?: AbortSignal) =>
  answer(api.GET(OBJECTS, { ...ofDataset(id), signal }));
export const startObjects = (id: string, body: ObjectsToCollect) =>
  answer(api.POST(OBJECTS, { ...ofDataset(id), body }));
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
