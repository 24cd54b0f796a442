// A run in one line.
import type { Run } from '../../api/runs';
import { withInterval } from '../../texts/numbers';

/** The number that a run is known by, with its interval where there is one. */
export function headlineText({ headline }: Run): string | null {
  if (!headline || headline.value === null) return null;
  const { title, value, low, high } = headline;
  return `${title} ${withInterval(value, low, high)}`;
}
