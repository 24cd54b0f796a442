// Requests about datasets: images, labels, findings, groups, and previews of trainings.
import { answer, api, at as addressOf, every } from './client';
import type { Filters } from './lists';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Dataset = Schemas['DatasetState'];
/** The names of the classes, in the order of their keys and colors. */
export const namesOf = ({ classes }: Pick<Dataset, 'classes'>): string[] => classes.map(({ name }) => name);
/** Number of readable images that nobody excluded, of which all other counts of a dataset are. */
export const nUsable = ({ n_images, n_excluded, n_unreadable }: Dataset): number =>
  n_images - n_excluded - n_unreadable;
/** Number of these images without a label. */
export const nUnlabeled = (dataset: Dataset): number => nUsable(dataset) - dataset.n_labeled;
export type DatasetChanges = Schemas['DatasetChanges'];
export type Finding = Schemas['Finding'];
export type GroupSuggestion = Schemas['GroupSuggestion'];
export type Source = Schemas['Source'];
export type Folder = Schemas['FolderContent'];
export type SplitPreview = Schemas['SplitPreview'];
export type PixelOptions = Schemas['PixelOptions'];
export type PixelChoice = Schemas['PixelChoice'];
export type ViewedChannel = Schemas['ViewedChannel'];
export type ChannelDisplay = Schemas['ChannelDisplay'];

/**
 * Images that a request changes: a list of row ids or image ids, or all that match filters but some. With filters, the
 * server changes nothing if others match than those of the list with this number of images and this digest.
 */
export type ImageSelection =
  | { rows: number[] }
  | { images: string[] }
  | { filters: Filters; n_listed: number; digest: string; except_rows?: number[] };

const at = (dataset_id: string) => ({ params: { path: { dataset_id } } });

export const listDatasets = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/datasets', { params: { query }, signal }));
export const readDataset = (id: string, signal?: AbortSignal) =>
  answer(api.GET('/api/v1/datasets/{dataset_id}', { ...at(id), signal }));
export const createSamples = () => answer(api.POST('/api/v1/samples'));

/** How to read tables whose headers are not recognized. */
export interface TableChoices {
  columns: Record<string, string>; // meaning → column name; an empty name ignores the column
  crop_size: CropSize | null;
}
/** Side of the square around each point: pixels, or a length such as `32 um`. */
export type CropSize = number | string;
export const BY_HEADER: TableChoices = { columns: {}, crop_size: null };

export const openDataset = (
  sources: Source[],
  isLabeled: boolean,
  choices: TableChoices = BY_HEADER,
  classifier_id: string | null = null, // that will predict the images
) =>
  answer(
    api.POST('/api/v1/datasets', { body: { sources, is_labeled: isLabeled, classifier_id, ...choices } }),
  );

/** Example images of a table, as a PNG. */
export const previewTableCrops = (
  path: string,
  columns: Record<string, string>,
  crop_size: CropSize | null,
  signal?: AbortSignal,
) =>
  answer(
    api.POST('/api/v1/table-crops-preview', { body: { path, columns, crop_size }, parseAs: 'blob', signal }),
  ) as unknown as Promise<Blob>;

export const changeDataset = (id: string, changes: DatasetChanges) =>
  answer(api.PATCH('/api/v1/datasets/{dataset_id}', { ...at(id), body: changes }));

export const rescanDataset = (id: string) =>
  answer(api.POST('/api/v1/datasets/{dataset_id}/refresh', at(id)));
export const inspection = (id: string, signal?: AbortSignal) =>
  answer(api.GET('/api/v1/datasets/{dataset_id}/inspection', { ...at(id), signal }));
export const removeReservedTest = (id: string) =>
  answer(api.DELETE('/api/v1/datasets/{dataset_id}/reserved-test', at(id)));
export const stopLive = (id: string) => answer(api.DELETE('/api/v1/datasets/{dataset_id}/live', at(id)));
export const readMapPoints = (id: string, signal?: AbortSignal) =>
  answer(
    api.GET('/api/v1/datasets/{dataset_id}/map-points', { ...at(id), parseAs: 'arrayBuffer', signal }),
  ) as unknown as Promise<ArrayBuffer>;
export const readMapPredictions = (id: string, job: string, signal?: AbortSignal) =>
  answer(
    api.GET('/api/v1/datasets/{dataset_id}/map-predictions/{job_id}', {
      params: { path: { dataset_id: id, job_id: job } },
      signal,
    }),
  );
export const listColumns = (id: string, signal?: AbortSignal) =>
  every((query) =>
    api.GET('/api/v1/datasets/{dataset_id}/columns', { params: { path: { dataset_id: id }, query }, signal }),
  );

/** Example images of each class. */
export const classThumbnails = (id: string, signal?: AbortSignal) =>
  every((query) =>
    api.GET('/api/v1/datasets/{dataset_id}/class-thumbnails', {
      params: { path: { dataset_id: id }, query },
      signal,
    }),
  );

/**
 * Label images, exclude them, or confirm their labels, so that they are not suspected label errors; or undo it.
 * Or keep labels and the like of images whose files were overwritten, or drop them.
 */
/** Draw an object, merge objects, or split one. */
export const editObjects = (dataset_id: string, body: Schemas['ObjectEdit']) =>
  answer(api.POST('/api/v1/datasets/{dataset_id}/objects', { params: { path: { dataset_id } }, body }));

export const changeImages = (
  id: string,
  images: ImageSelection,
  change:
    | { label: string | null; job_id?: string }
    | { is_excluded: boolean }
    | { is_confirmed: boolean }
    | { is_kept: boolean },
) =>
  answer(
    api.POST('/api/v1/datasets/{dataset_id}/changes', {
      ...at(id),
      body: { ...images, ...change } as Schemas['ImageChange'],
    }),
  );

export const listGroupSuggestions = (id: string, signal?: AbortSignal) =>
  every((query) =>
    api.GET('/api/v1/datasets/{dataset_id}/group-suggestions', {
      params: { path: { dataset_id: id }, query },
      signal,
    }),
  );

type Recipe = Record<string, unknown>;

export type TimePreview = Schemas['TimePreview'];
export type PresetTime = Schemas['PresetTime'];
/** Example images as the network receives them, as a PNG. */
export const previewAugmentation = (id: string, recipe: Recipe, signal?: AbortSignal) =>
  answer(
    api.POST('/api/v1/datasets/{dataset_id}/augmentation-preview', {
      ...at(id),
      body: { recipe },
      parseAs: 'blob',
      signal,
    }),
  ) as Promise<Blob>;

export const listFolder = (path: string | null, signal?: AbortSignal) =>
  answer(api.GET('/api/v1/folders', { params: { query: path === null ? {} : { path } }, signal }));

/** Table of label changes: time, person, and the page on which each label was changed. */
export const labelChangesUrl = (id: string) => addressOf('datasets', id, 'download', 'label-changes');
export const labelsUrl = (id: string) => addressOf('datasets', id, 'download', 'labels');

export const readPixelOptions = (id: string, signal?: AbortSignal) =>
  answer(api.GET('/api/v1/datasets/{dataset_id}/pixel-options', { ...at(id), signal }));
