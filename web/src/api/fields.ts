// Finders of objects in fields of view, and the types of objects.
import { api, every } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type ObjectsToCollect = Omit<Schemas['NewObjects'], 'kind' | 'subject'>;
export type ObjectsPreview = Schemas['ObjectsPreview'];
export type ObjectExport = Schemas['NewObjectExport'];
export type FinderSettings = Schemas['FinderSettings'];
export type FinderPreview = Schemas['FinderPreview'];

export type FinderRecord = Schemas['FinderRecord'];

export const listFinders = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/finders', { params: { query }, signal }));
