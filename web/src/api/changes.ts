// Requests that undo and redo changes. Pages call `stepChange` of `state/changes`.
import { answer, api } from './client';
import type { components } from './schema';

export type ChangeStep = components['schemas']['ChangeStep'];

export const requestStep = (change_id: number, action: 'undo' | 'redo') =>
  answer(api.POST('/api/v1/changes/{change_id}/{action}', { params: { path: { change_id, action } } }));
