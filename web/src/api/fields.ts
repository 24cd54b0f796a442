// Requests about fields of view: their objects, labels, predictions and tiles; objects that are read or found.
import { answer, api, at as addressOf, every } from './client';
import type { TiledAddress, ViewedPlane } from './datasets';
import type { components } from './schema';

type Schemas = components['schemas'];
export type FieldOfView = Schemas['FieldOfView'];
export type FieldLabels = Schemas['FieldLabels'];
export type FieldPredictions = Schemas['FieldPredictions'];
export type ObjectsState = Schemas['ObjectsState'];
export type ObjectsToCollect = Schemas['ObjectsToCollect'];
export type ObjectsPreview = Schemas['ObjectsPreview'];
export type ObjectExport = Schemas['ObjectExport'];
export type FinderSettings = Schemas['FinderSettings'];
export type FinderPreview = Schemas['FinderPreview'];

const ofDataset = (dataset_id: string) => ({ params: { path: { dataset_id } } });
const ofImage = (dataset_id: string, row_id: number) => ({ params: { path: { dataset_id, row_id } } });
const ofRow = (job_id: string, row_id: number) => ({ params: { path: { job_id, row_id } } });
const queryOf = ({ series, t, z }: ViewedPlane) => ({
  ...(series !== null && { series }),
  ...(t !== null && { t }),
  ...(z !== null && { z }),
});

function tileUrl(base: string, version: string): TiledAddress['tileUrl'] {
  return (plane, display, level, x, y) => {
    const query = new URLSearchParams({ display, v: version });
    for (const [name, value] of Object.entries(queryOf(plane))) query.set(name, String(value));
    return `${base}/${level}/${x}/${y}?${query}`;
  };
}

/** Where a page of fields gets its data; `row` is that of any object of the field. */
export interface FieldSource {
  list: (signal?: AbortSignal) => Promise<{ items: FieldOfView[]; total: number }>;
  find: (row: number, signal?: AbortSignal) => Promise<FieldOfView>;
  outlines: (row: number, signal?: AbortSignal) => Promise<ArrayBuffer>;
  /** `version` changes with the image, so that the browser can cache tiles without a time limit. */
  tiled: (row: number, version: string) => TiledAddress;
}

export const countFields = async (id: string, signal?: AbortSignal): Promise<number> =>
  (
    await answer(
      api.GET('/api/v1/datasets/{dataset_id}/fields', {
        params: { path: { dataset_id: id }, query: { limit: 1 } },
        signal,
      }),
    )
  ).total;

export const fieldsOfDataset = (id: string): FieldSource => ({
  list: (signal) =>
    every((query) =>
      api.GET('/api/v1/datasets/{dataset_id}/fields', {
        params: { path: { dataset_id: id }, query },
        signal,
      }),
    ),
  find: (row, signal) =>
    answer(api.GET('/api/v1/datasets/{dataset_id}/images/{row_id}/field', { ...ofImage(id, row), signal })),
  outlines: (row, signal) =>
    answer(
      api.GET('/api/v1/datasets/{dataset_id}/images/{row_id}/field/outlines', {
        ...ofImage(id, row),
        parseAs: 'arrayBuffer',
        signal,
      }),
    ) as unknown as Promise<ArrayBuffer>,
  tiled: (row, version) => ({
    key: `field ${id} ${row} ${version}`,
    read: (plane, signal) =>
      answer(
        api.GET('/api/v1/datasets/{dataset_id}/images/{row_id}/field/tiles', {
          params: { path: { dataset_id: id, row_id: row }, query: queryOf(plane) },
          signal,
        }),
      ),
    tileUrl: tileUrl(addressOf('datasets', id, 'images', row, 'field', 'tiles'), version),
  }),
});

export const readFieldLabels = (id: string, row: number, signal?: AbortSignal) =>
  answer(
    api.GET('/api/v1/datasets/{dataset_id}/images/{row_id}/field/labels', { ...ofImage(id, row), signal }),
  );

export const fieldsOfJob = (id: string): FieldSource => ({
  list: (signal) =>
    every((query) =>
      api.GET('/api/v1/jobs/{job_id}/fields', {
        params: { path: { job_id: id }, query },
        signal,
      }),
    ),
  find: (row, signal) =>
    answer(api.GET('/api/v1/jobs/{job_id}/rows/{row_id}/field', { ...ofRow(id, row), signal })),
  outlines: (row, signal) =>
    answer(
      api.GET('/api/v1/jobs/{job_id}/rows/{row_id}/field/outlines', {
        ...ofRow(id, row),
        parseAs: 'arrayBuffer',
        signal,
      }),
    ) as unknown as Promise<ArrayBuffer>,
  tiled: (row, version) => ({
    key: `field ${id} ${row} ${version}`,
    read: (plane, signal) =>
      answer(
        api.GET('/api/v1/jobs/{job_id}/rows/{row_id}/field/tiles', {
          params: { path: { job_id: id, row_id: row }, query: queryOf(plane) },
          signal,
        }),
      ),
    tileUrl: tileUrl(addressOf('jobs', id, 'rows', row, 'field', 'tiles'), version),
  }),
});

export const countFieldsOfJob = async (id: string, signal?: AbortSignal): Promise<number> =>
  (
    await answer(
      api.GET('/api/v1/jobs/{job_id}/fields', {
        params: { path: { job_id: id }, query: { limit: 1 } },
        signal,
      }),
    )
  ).total;

export const readFieldPredictions = (id: string, row: number, signal?: AbortSignal) =>
  answer(
    api.GET('/api/v1/jobs/{job_id}/rows/{row_id}/field/predictions', {
      ...ofRow(id, row),
      signal,
    }),
  );

const EXPORT = '/api/v1/predictions/{prediction_id}/objects-export';
const ofPrediction = (prediction_id: string) => ({ params: { path: { prediction_id } } });
export const readObjectExport = (id: string, signal?: AbortSignal) =>
  answer(api.GET(EXPORT, { ...ofPrediction(id), signal }));
export const startObjectExport = (id: string, body: ObjectExport) =>
  answer(api.POST(EXPORT, { ...ofPrediction(id), body }));
export const cancelObjectExport = (id: string) => answer(api.DELETE(EXPORT, ofPrediction(id)));

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
export const cancelObjects = (id: string) => answer(api.DELETE(OBJECTS, ofDataset(id)));

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
