// What pages about images need to know of trainings.
import type { components } from '../api/schema';
import { score } from '../charts/format';
import { texts } from '../texts';
import { answer, api } from './api';

export type Run = components['schemas']['RunState'];

export const listRuns = () => answer(api.GET('/api/v1/runs'));

/** The number that a run is known by, with its interval where there is one. */
export function headlineText({ headline }: Run): string | null {
  if (!headline || headline.value === null) return null;
  const { title, value, low, high } = headline;
  const interval = low !== null && high !== null ? ` (${texts.runs.interval(score(low), score(high))})` : '';
  return `${title} ${score(value)}${interval}`;
}
