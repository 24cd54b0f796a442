// What the pages ask the server about files that they send it.
import { answer, api, at, send } from './client';
import type { components } from './schema';

export type FinishUpload = Partial<components['schemas']['FinishUpload']>;

const upload = (upload_id: string) => ({ params: { path: { upload_id } } });

export const openUpload = (name: string, isLabeled: boolean) =>
  answer(api.POST('/api/v1/uploads', { body: { name, is_labeled: isLabeled } }));
/** The table among the files whose columns are to be chosen; null: there is none. */
export const readUploadedTable = (id: string) =>
  answer(api.GET('/api/v1/uploads/{upload_id}/table', upload(id)));
/** Make a dataset of the files: of their table, as it is to be read, or of folders. */
export const finishUpload = (id: string, how: FinishUpload) =>
  answer(
    api.POST('/api/v1/uploads/{upload_id}/finish', { ...upload(id), body: { ignores_table: false, ...how } }),
  );
export const cancelUpload = (id: string) => answer(api.DELETE('/api/v1/uploads/{upload_id}', upload(id)));

/** One file with its folders, or a zip file, which the server unpacks. */
export function sendFile(
  id: string,
  name: string,
  file: File,
  onbytes: (sent: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const isArchive = name.toLowerCase().endsWith('.zip');
  const url = isArchive ? at('uploads', id, 'archive') : at('uploads', id, 'files', ...name.split('/'));
  return send(url, file, onbytes, signal);
}
