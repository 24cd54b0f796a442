// Requests about lists of images: those of a dataset, a training, an evaluation or a prediction. A list has the id of
// its dataset or job; `row` is the permanent number of an image in its list.
import { answer, api, at as addressOf, every, rowIds } from './client';
import type { components, operations } from './schema';

type Schemas = components['schemas'];
export type Image = Schemas['Image'];
export type ImageFacts = Schemas['ImageFacts'];
export type PredictionRow = Schemas['Row'];
export type TiledImage = Schemas['TiledImage'];
export type FieldOfView = Schemas['FieldOfView'];
export type ObjectLabels = Schemas['ObjectLabels'];
/** Filters and order of the images. */
export type Filters = NonNullable<operations['list_row_ids']['parameters']['query']>;

const of = (list_id: string) => ({ params: { path: { list_id } } });
const ofRow = (list_id: string, row_id: number) => ({ params: { path: { list_id, row_id } } });

/** The images of a list, as a gallery reads them. */
const imagesOf = <Item extends Image | PredictionRow>(list_id: string) => ({
  list: (query: Filters, signal?: AbortSignal) =>
    rowIds(
      api.GET('/api/v1/lists/{list_id}/row-ids', {
        params: { path: { list_id }, query },
        parseAs: 'arrayBuffer',
        signal,
      }),
    ),
  read: async (rows: ArrayLike<number>) =>
    (
      await answer(
        api.GET('/api/v1/lists/{list_id}/rows', {
          params: { path: { list_id }, query: { rows: Array.from(rows).join(',') } },
        }),
      )
    ).items as Item[],
  sheetUrl: (rows: number[], side: number) => sheetUrl(list_id, rows, side),
});
export const imagesOfDataset = imagesOf<Image>;
export const imagesOfJob = imagesOf<PredictionRow>;

/** All facts about an image of a dataset. */
export const readImage = (id: string, row: number, signal?: AbortSignal) =>
  answer(
    api.GET('/api/v1/lists/{list_id}/rows/{row_id}', { ...ofRow(id, row), signal }),
  ) as Promise<ImageFacts>;

/** Colors of the images of a list; `images/gallery/placeholders` describes the bytes. */
export const readColors = (id: string, signal?: AbortSignal) =>
  answer(
    api.GET('/api/v1/lists/{list_id}/colors', { ...of(id), parseAs: 'arrayBuffer', signal }),
  ) as unknown as Promise<ArrayBuffer>;

type Query = Record<string, string | number | null | undefined>;

function address(path: string, query: Query): string {
  const request = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== null && value !== undefined) request.set(name, String(value));
  return `${path}?${request.toString()}`;
}

export const sheetUrl = (id: string, rows: number[], side: number) =>
  address(addressOf('lists', id, 'sheet'), { rows: rows.join(','), side }).replaceAll('%2C', ',');

/** The plane of an image in the viewer; null is that of the image. */
export interface ViewedPlane {
  series: number | null;
  t: number | null;
  z: number | 'max' | 'mean' | 'best-focus' | null;
}
const queryOf = ({ series, t, z }: ViewedPlane) => ({
  ...(series !== null && { series }),
  ...(t !== null && { t }),
  ...(z !== null && { z }),
});

/** A picture of an image, or of another plane of its file, at most `side` pixels wide and high. */
export const pictureUrl = (
  id: string,
  row: number,
  side: number,
  plane: Partial<ViewedPlane> = {},
  display: string | null = null,
) => address(addressOf('lists', id, 'rows', row, 'overview'), { ...plane, side, display });

/**
 * An image as the viewer reads it, or the whole field of an object: its description, and the addresses of its tiles.
 * With its version, the browser caches tiles without a time limit.
 */
export const tiledImage = (id: string, row: number, version: string | null = null, whole_field = false) => ({
  key: `${id} ${row} ${version} ${whole_field}`,
  read: (plane: ViewedPlane, signal?: AbortSignal) =>
    answer(
      api.GET('/api/v1/lists/{list_id}/rows/{row_id}/tiles', {
        params: { ...ofRow(id, row).params, query: { ...queryOf(plane), whole_field } },
        signal,
      }),
    ),
  tileUrl: (plane: ViewedPlane, display: string, level: number, x: number, y: number) =>
    address(addressOf('lists', id, 'rows', row, 'tiles', level, x, y), {
      ...plane,
      display,
      v: version,
      whole_field: whole_field ? 'true' : null,
    }),
});
export type TiledAddress = ReturnType<typeof tiledImage>;

export const countFields = async (list_id: string, signal?: AbortSignal): Promise<number> =>
  (
    await answer(
      api.GET('/api/v1/lists/{list_id}/fields', {
        params: { path: { list_id }, query: { limit: 1 } },
        signal,
      }),
    )
  ).total;

/** The fields of view of a list; `row` is that of any object of the field. */
export const fieldsOf = (id: string) => ({
  list: (signal?: AbortSignal) =>
    every((query) =>
      api.GET('/api/v1/lists/{list_id}/fields', { params: { path: { list_id: id }, query }, signal }),
    ),
  find: (row: number, signal?: AbortSignal) =>
    answer(api.GET('/api/v1/lists/{list_id}/rows/{row_id}/field', { ...ofRow(id, row), signal })),
  labels: (row: number, signal?: AbortSignal) =>
    answer(api.GET('/api/v1/lists/{list_id}/rows/{row_id}/field/labels', { ...ofRow(id, row), signal })),
  outlines: (row: number, signal?: AbortSignal) =>
    answer(
      api.GET('/api/v1/lists/{list_id}/rows/{row_id}/field/outlines', {
        ...ofRow(id, row),
        parseAs: 'arrayBuffer',
        signal,
      }),
    ) as unknown as Promise<ArrayBuffer>,
  tiled: (row: number, version: string): TiledAddress => tiledImage(id, row, version, true),
});
export type FieldSource = ReturnType<typeof fieldsOf>;
