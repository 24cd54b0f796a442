// What the pages ask the server about files that they send it.
import { answer, api, at, send } from './client';

const upload = (upload_id: string) => ({ params: { path: { upload_id } } });

export const openUpload = (name: string, isLabelled: boolean) =>
  answer(api.POST('/api/v1/uploads', { body: { name, is_labelled: isLabelled } }));
export const finishUpload = (id: string) =>
  answer(api.POST('/api/v1/uploads/{upload_id}/finish', { ...upload(id), body: {} }));
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
