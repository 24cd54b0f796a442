// Requests for exports of a classifier for other programs.
import { answer, api, at, every } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Export = Schemas['ExportState'];
export type ExportFormat = Export['to'];

const ofRun = (run_id: string) => ({ params: { path: { run_id } } });

export const listExports = (run: string, signal?: AbortSignal) =>
  every((query) =>
    api.GET('/api/v1/runs/{run_id}/exports', { params: { path: { run_id: run }, query }, signal }),
  );
export const startExport = (run: string, to: ExportFormat) =>
  answer(api.POST('/api/v1/runs/{run_id}/exports', { ...ofRun(run), body: { to } }));
/** Address of the zip of a finished export. */
export const exportFile = (id: string) => at('jobs', id, 'download', 'export');
