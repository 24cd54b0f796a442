// Requests about images that are drawn at random and labeled blindly.
import { answer, api } from './client';
import type { Review } from './predictions';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Draw = Schemas['Draw'];
export type DrawnImage = Schemas['DrawnImage'];
export type ReadingAgreement = Schemas['ReadingAgreement'];
export type Disagreement = Schemas['Disagreement'];
export type SpotCheck = Schemas['SpotCheckResult'];

const PATH = '/api/v1/lists/{list_id}/draw';
const at = (list_id: string) => ({ params: { path: { list_id } } });
const atRow = (list_id: string, row_id: number) => ({ params: { path: { list_id, row_id } } });

export const readDraw = (id: string, signal?: AbortSignal) => answer(api.GET(PATH, { ...at(id), signal }));
export const drawImages = (id: string, n: number) => answer(api.POST(PATH, { ...at(id), body: { n } }));
export const removeDraw = (id: string) => answer(api.DELETE(PATH, at(id)));
export const labelDrawn = (id: string, row: number, { correction, excluded }: Review) =>
  answer(api.PUT(`${PATH}/rows/{row_id}`, { ...atRow(id, row), body: { label: correction, excluded } }));
const readResult = (id: string, signal?: AbortSignal) =>
  answer(api.GET(`${PATH}/result`, { ...at(id), signal }));
export const readAgreement = (dataset: string, signal?: AbortSignal) =>
  readResult(dataset, signal) as Promise<ReadingAgreement>;
export const readSpotCheck = (prediction: string, signal?: AbortSignal) =>
  readResult(prediction, signal) as Promise<SpotCheck>;
export const applyLabels = (prediction: string) => answer(api.PUT(`${PATH}/corrections`, at(prediction)));
export const decideLabel = (dataset: string, row: number, label: string) =>
  answer(api.PUT(`${PATH}/decisions/{row_id}`, { ...atRow(dataset, row), body: { label } }));
/** The body is the file itself; the generated client would convert it to JSON. */
export const importReadings = (dataset: string, file: File) =>
  answer(
    api.POST(`${PATH}/import`, {
      ...at(dataset),
      body: file as unknown as string,
      bodySerializer: (body) => body,
      headers: { 'Content-Type': 'application/octet-stream' },
    }),
  );
