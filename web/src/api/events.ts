// The stream of everything that changes in the workspace: its address, its events and its topics.
import type { components } from './schema';

/** An event of a job that the request names. `number` is that of a line of its log. */
export type JobMessage = components['schemas']['JobMessage'];

export const ANYTHING = '*';
/** A job or a dataset was added or removed, or its state has changed. */
export const ACTIVITY = 'activity';

export const datasetTopic = (id: string) => `datasets/${id}`;
/** The colors of the images of a dataset. */
export const colorsTopic = (id: string) => `colors/${id}`;

/** The address of the stream that names these jobs, each with the last line of its log that the client has. */
export function streamAddress(jobs: ReadonlyMap<string, number>, after: string): string {
  const query = new URLSearchParams([...jobs].map(([id, number]) => ['job', `${id}:${number}`]));
  if (after) query.set('after', after);
  return `api/v1/events?${query}`;
}
