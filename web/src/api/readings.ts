// Requests about second readings of a dataset.
import { answer, api, at as addressOf, every } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type SecondReading = Schemas['SecondReading'];
export type ImageToRead = Schemas['ImageToRead'];
export type ReadingAgreement = Schemas['ReadingAgreement'];
export type Disagreement = Schemas['Disagreement'];

const PATH = '/api/v1/datasets/{dataset_id}/second-reading';
const at = (dataset_id: string) => ({ params: { path: { dataset_id } } });
const atImage = (dataset_id: string, row_id: number) => ({ params: { path: { dataset_id, row_id } } });

export const readSecondReading = (id: string, signal?: AbortSignal) =>
  answer(api.GET(PATH, { ...at(id), signal }));
export const drawSecondReading = (id: string, n: number) =>
  answer(api.POST(PATH, { ...at(id), body: { n } }));
export const removeSecondReading = (id: string) => answer(api.DELETE(PATH, at(id)));
export const readImage = (id: string, row: number, label: string | null) =>
  answer(api.PUT(`${PATH}/images/{row_id}`, { ...atImage(id, row), body: { label } }));
export const readAgreement = (id: string, signal?: AbortSignal) =>
  answer(api.GET(`${PATH}/agreement`, { ...at(id), signal }));
export const listDisagreements = (dataset_id: string, signal?: AbortSignal) =>
  every((query) => api.GET(`${PATH}/disagreements`, { params: { path: { dataset_id }, query }, signal }));
export const decideLabel = (id: string, row: number, label: string) =>
  answer(api.PUT(`${PATH}/decisions/{row_id}`, { ...atImage(id, row), body: { label } }));
/** The body is the file itself; the generated client would convert it to JSON. */
export const importReadings = (id: string, file: File) =>
  answer(
    api.POST(`${PATH}/import`, {
      ...at(id),
      body: file as unknown as string,
      bodySerializer: (body) => body,
      headers: { 'Content-Type': 'application/octet-stream' },
    }),
  );
export const readingsTable = (id: string) => addressOf('datasets', id, 'download', 'readings');
