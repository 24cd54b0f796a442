// Requests for files that the browser sends.
import { answer, api, at, send } from './client';
import type { components } from './schema';

export type FinishUpload = Partial<components['schemas']['FinishUpload']>;

const upload = (upload_id: string) => ({ params: { path: { upload_id } } });

export const openUpload = (name: string, isLabeled: boolean) =>
  answer(api.POST('/api/v1/uploads', { body: { name, is_labeled: isLabeled } }));
/** The uploaded table whose columns the user must choose; null if there is none. */
export const readUploadedTable = (id: string) =>
  answer(api.GET('/api/v1/uploads/{upload_id}/table', upload(id)));
/** Create a dataset from the uploaded files: from a table or from folders. */
export const finishUpload = (id: string, how: FinishUpload) =>
  answer(
    api.POST('/api/v1/uploads/{upload_id}/finish', { ...upload(id), body: { ignores_table: false, ...how } }),
  );
export const cancelUpload = (id: string) => answer(api.DELETE('/api/v1/uploads/{upload_id}', upload(id)));

/** Send one file with its folder path, or a zip file, which the server unpacks. */
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
