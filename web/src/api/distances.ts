// Requests for distances between the features of datasets.
import { answer, api } from './client';
import type { components } from './schema';

export type DatasetDistances = components['schemas']['DatasetDistances'];

const PLACE = '/api/v1/datasets/{dataset_id}/distances';
const of = (dataset_id: string, other: string[]) => ({ params: { path: { dataset_id }, query: { other } } });

export const readDistances = (id: string, others: string[], signal?: AbortSignal) =>
  answer(api.GET(PLACE, { ...of(id, others), signal }));
export const requestDistances = (id: string, others: string[]) => answer(api.POST(PLACE, of(id, others)));
export const cancelDistances = (id: string, others: string[]) => answer(api.DELETE(PLACE, of(id, others)));
