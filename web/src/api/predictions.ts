// Requests about predictions and classifiers.
import { answer, api, at as addressOf, every } from './client';
import type { PredictionRow } from './lists';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Classifier = Schemas['ListedClassifier'];
export type Prediction = Schemas['PredictionState'];
export type NewPrediction = Schemas['NewPrediction'];
export type JoinCounts = Schemas['JoinCounts'];
export type JoinResult = Schemas['JoinResult'];
export type JoinPreview = Schemas['JoinPreview'];
export type Metric = Schemas['Metric'];
export type SampleProportions = Schemas['SampleProportions'];
export type ClassProportion = Schemas['ClassProportion'];
export type Sampling = Schemas['Sampling'];
/** The condition of each sample that has one. */
export type Conditions = Record<string, string>;
export type CorrectedRow = Schemas['CorrectedRow'];
export type Exclusion = Schemas['Exclusion'];
/** The correction of a person: a class, or a reason for exclusion. Both are null if there is none. */
export type Review = Pick<PredictionRow, 'correction' | 'excluded'>;

const at = (prediction_id: string) => ({ params: { path: { prediction_id } } });

export const listClassifiers = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/classifiers', { params: { query }, signal }));

/** The body is the file itself; the generated client would convert it to JSON. */
export const addClassifier = (file: File) =>
  answer(
    api.POST('/api/v1/classifiers', {
      params: { query: { name: file.name.replace(/\.coverslip$/, '') } },
      body: file as unknown as string,
      bodySerializer: (body) => body,
      headers: { 'Content-Type': 'application/octet-stream' },
    }),
  );

export const readClassifierCard = (classifier_id: string, signal?: AbortSignal) =>
  answer(api.GET('/api/v1/classifiers/{classifier_id}', { params: { path: { classifier_id } }, signal }));

export type ClassifierCard = Awaited<ReturnType<typeof readClassifierCard>>;

/** Predict images that the app does not keep. */
export function predictFiles(classifier_id: string, files: readonly File[], signal?: AbortSignal) {
  const body = new FormData();
  for (const file of files) body.append('files', file);
  return answer(
    api.POST('/api/v1/classifiers/{classifier_id}/predict', {
      params: { path: { classifier_id } },
      body: body as unknown as { files: string[] },
      bodySerializer: (form) => form,
      signal,
    }),
  );
}
export type PredictedImage = Schemas['PredictedImage'];

export const listPredictions = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/predictions', { params: { query }, signal }));
export const startPrediction = (body: NewPrediction) => answer(api.POST('/api/v1/predictions', { body }));

export const readSamples = (id: string, signal?: AbortSignal) =>
  answer(api.GET('/api/v1/predictions/{prediction_id}/samples', { ...at(id), signal }));
export type SampledSummary = Awaited<ReturnType<typeof readSamples>>;
export type Summary = SampledSummary['summary'];
/** The server refuses it with 412 if other samples were saved than those that this replaces. */
export const changeSamples = (id: string, body: Schemas['ChangedSampling']) =>
  answer(api.PUT('/api/v1/predictions/{prediction_id}/samples', { ...at(id), body }));
/** The conditions of samples in a table, of which nothing is saved. */
export const readSampleTable = (id: string, table: File) =>
  answer(
    api.POST('/api/v1/predictions/{prediction_id}/samples/table', {
      ...at(id),
      body: table as unknown as string,
      bodySerializer: (body) => body,
      headers: { 'Content-Type': 'application/octet-stream' },
    }),
  );
/** Set aside saved samples that cannot be read. */
export const resetSamples = (id: string) =>
  answer(api.DELETE('/api/v1/predictions/{prediction_id}/samples', at(id)));

export type TableFormat = 'csv' | 'jsonl';
/** The address of the table of a prediction. */
export function predictionTable(
  id: string,
  { format, top_k }: { format: TableFormat; top_k: number | null },
): string {
  const query = new URLSearchParams({ format });
  if (top_k !== null) query.set('top_k', String(top_k));
  return `${addressOf('jobs', id, 'download', 'predictions')}?${query}`;
}

/** Correct a row of a training, an evaluation or a prediction. */
export const correctRow =
  (id: string) =>
  (row_id: number, { correction, excluded }: Review) =>
    answer(
      api.PUT('/api/v1/lists/{list_id}/rows/{row_id}/correction', {
        params: { path: { list_id: id, row_id } },
        body: { label: correction, excluded },
      }),
    );

export const joinDataset = (id: string, dataset_id: string) =>
  answer(api.POST('/api/v1/predictions/{prediction_id}/join', { ...at(id), body: { dataset_id } }));
export const datasetOf = (id: string, only: 'corrected' | 'all') =>
  answer(api.POST('/api/v1/predictions/{prediction_id}/dataset', { ...at(id), body: { only, name: null } }));
