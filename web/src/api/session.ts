// Who sends the requests, and the project of this address.
import { answer, api } from './client';

export const readSession = (signal?: AbortSignal) => answer(api.GET('/api/v1/session', { signal }));
