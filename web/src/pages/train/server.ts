// What choosing a split and random changes asks the server for.
import type { components } from '../../api/schema';
import { answer, api } from '../../lib/api';

export type SplitPreview = components['schemas']['SplitPreview'];
type Recipe = Record<string, unknown>;

const at = (dataset_id: string) => ({ params: { path: { dataset_id } } });

export const previewSplit = (id: string, recipe: Recipe, signal?: AbortSignal) =>
  answer(api.POST('/api/v1/datasets/{dataset_id}/split', { ...at(id), body: { recipe }, signal }));

/** Some of the images as a network would see them, a PNG. */
export const previewChanges = (id: string, recipe: Recipe, signal?: AbortSignal) =>
  answer(
    api.POST('/api/v1/datasets/{dataset_id}/augmentation', {
      ...at(id),
      body: { recipe },
      parseAs: 'blob',
      signal,
    }),
  ) as Promise<Blob>;
