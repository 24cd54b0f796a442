// Requests about studies: networks and initial weights, compared on the same splits.
import { answer, api, at as address, every } from './client';
import { resultsOf } from './jobs';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Study = Schemas['StudyState'];
export type StudyDetail = Schemas['StudyStory'];
export type StudyTraining = Schemas['StudyTraining'];
export type StudyChoices = Omit<Schemas['NewStudyTime'], 'kind'>;
export type StudyOutlook = Schemas['StudyOutlook'];
export type StudyResults = Schemas['StudyResults'];
export type StudyNetwork = Schemas['StudyNetwork'];
export type StudyPreset = Schemas['StudyPreset'];

/** Further analyses of the trainings of a study. */
export const ANALYSES = ['latency', 'distances', 'explanations'] as const;

export const listPresets = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/study-presets', { params: { query }, signal }));
export const listStudies = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/studies', { params: { query }, signal }));
/** Return the results of networks on a dataset in studies, newest first. */
export const listFindings = (dataset_id: string, signal?: AbortSignal) =>
  every((query) =>
    api.GET('/api/v1/datasets/{dataset_id}/network-findings', {
      params: { path: { dataset_id }, query },
      signal,
    }),
  );
export const startStudy = (body: Schemas['NewStudy']) => answer(api.POST('/api/v1/studies', { body }));
export const readStudyResults = (id: string, signal?: AbortSignal) => resultsOf<StudyResults>(id, signal);
export const studyFigure = (id: string, name: string, kind: 'svg' | 'png' | 'csv') =>
  address('jobs', id, 'figures', `${name}.${kind}`);
