// The stream of everything that changes in the workspace: its address, its messages and its topics.
import type { components } from './schema';

/** What has changed: topics, and fields of the followed jobs by ID. */
export type Changed = components['schemas']['Changed'];

export const ANYTHING = '*';
/** A job or a dataset was added or removed, or its state has changed. */
export const ACTIVITY = 'activity';

export const datasetTopic = (id: string) => `datasets/${id}`;
/** The colors of the images of a dataset. */
export const colorsTopic = (id: string) => `colors/${id}`;

/** The address of the stream that follows these jobs, after the last message that the client has. */
export function streamAddress(jobs: Iterable<string>, after: string): string {
  const query = new URLSearchParams([...jobs].map((id) => ['job', id]));
  if (after) query.set('after', after);
  return `api/v1/events?${query}`;
}

/** Why the server sends no events. */
export interface Refusal {
  title: string;
  advice: string;
  seconds: number; // until the next attempt
}

/** Ask why a stream cannot be opened, which browsers do not tell. null: it can, or there is no response. */
export async function refusalOf(url: string | URL): Promise<Refusal | null> {
  const canceled = new AbortController();
  try {
    const response = await fetch(url, { signal: canceled.signal });
    if (response.status !== 429) return null;
    const { title, do: advice } = (await response.json()) as components['schemas']['Problem'];
    return { title, advice: advice ?? '', seconds: Number(response.headers.get('Retry-After')) };
  } catch {
    return null;
  } finally {
    canceled.abort(); // the server would send events
  }
}
