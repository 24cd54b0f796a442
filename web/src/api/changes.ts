// Requests that undo and redo changes. Pages call `stepChange` of `state/changes`.
import { answer, api } from './client';
import type { components } from './schema';

export type ChangeStep = components['schemas']['ChangeStep'];

const at = (change_id: number) => ({ params: { path: { change_id } } });
export const undoChange = (id: number) => answer(api.POST('/api/v1/changes/{change_id}/undo', at(id)));
export const redoChange = (id: number) => answer(api.POST('/api/v1/changes/{change_id}/redo', at(id)));
