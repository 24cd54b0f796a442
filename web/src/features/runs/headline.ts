// The main result of a run as text.
import type { Run } from '../../api/runs';
import { texts } from '../../texts';
import { withInterval } from '../../texts/numbers';

export type Headline = NonNullable<Run['headline']>;

/** Notes that matter when a result is compared with others. */
export function marksOf({ rule, n_relabeled }: Headline): { text: string; help: string }[] {
  const words = texts.runs.marks;
  return [
    ...(rule === 'highest probability' ? [] : [words.rules[rule]]),
    ...(n_relabeled ? [words.relabeled(n_relabeled)] : []),
  ];
}

/** The result in one line, with its interval if there is one. */
export function headlineText(headline: Headline | null): string | null {
  if (!headline || headline.value === null) return null;
  const { title, value, low, high } = headline;
  return [`${title} ${withInterval(value, low, high)}`, ...marksOf(headline).map(({ text }) => text)].join(
    ', ',
  );
}
