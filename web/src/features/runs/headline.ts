// The result that a run is known by.
import type { Run } from '../../api/runs';
import { texts } from '../../texts';
import { withInterval } from '../../texts/numbers';

export type Headline = NonNullable<Run['headline']>;

/** What must be known of a result before it is compared with others, in a few words each. */
export function marksOf({ rule, n_relabeled }: Headline): { text: string; help: string }[] {
  const words = texts.runs.marks;
  return [
    ...(rule === 'highest probability' ? [] : [words.rules[rule]]),
    ...(n_relabeled ? [words.relabeled(n_relabeled)] : []),
  ];
}

/** In one line, with the interval where there is one. */
export function headlineText(headline: Headline | null): string | null {
  if (!headline || headline.value === null) return null;
  const { title, value, low, high } = headline;
  return [`${title} ${withInterval(value, low, high)}`, ...marksOf(headline).map(({ text }) => text)].join(
    ', ',
  );
}
