// A run in one line.
import type { Run } from '../../api/runs';
import { score } from '../../texts/numbers';
import { texts } from '../../texts';

/** The number that a run is known by, with its interval where there is one. */
export function headlineText({ headline }: Run): string | null {
  if (!headline || headline.value === null) return null;
  const { title, value, low, high } = headline;
  const interval = low !== null && high !== null ? ` (${texts.runs.interval(score(low), score(high))})` : '';
  return `${title} ${score(value)}${interval}`;
}
