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

/** Reasons for a missing interval that several metrics share. They are shown once instead of in every row. */
export function sharedReasons(metrics: readonly { low: number | null; reason: string | null }[]): string[] {
  const reasons = metrics.flatMap(({ low, reason }) => (low === null && reason ? [reason] : []));
  return [...new Set(reasons)].filter((reason) => reasons.indexOf(reason) !== reasons.lastIndexOf(reason));
}
