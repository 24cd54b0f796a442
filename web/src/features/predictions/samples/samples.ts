// Proportions of one class in samples, for the plot and the table.
import type { Strip, StripPoint } from '../../../charts/StripPlot.svelte';
import type { SampleProportions, Summary } from '../../../api/predictions';

const SMALL = 0.1; // proportion of a rare class
const WIDEST = 0.8; // of an interval that says something
const MOST_NAMED = 12; // samples with a name below the axis, if there are no conditions

/** Whether samples have conditions, which can be compared. */
export const hasConditions = (summary: Summary): boolean =>
  summary.conditions.some(({ condition }) => condition !== null);

/** Whether the corrected value of a single sample is the one to use, else the counted one. */
export const usesCorrected = (summary: Summary): boolean =>
  summary.expected_errors?.is_correction_better ?? false;

/** The value to use of a class, as in the report, with its interval, and of a sample also the other value. */
function pointOf(summary: Summary, sample: SampleProportions, name: string, label: string): StripPoint[] {
  const { raw, corrected, shown } = sample.classes[name]!;
  if (shown.value == null) return [];
  const isKnown = (shown.high ?? 1) - (shown.low ?? 0) < WIDEST;
  const other = usesCorrected(summary) ? raw.value : isKnown ? corrected.value : null;
  return [
    {
      name: label,
      n: sample.n,
      value: shown.value,
      low: isKnown ? (shown.low ?? null) : null,
      high: isKnown ? (shown.high ?? null) : null,
      other: sample.sample === null ? null : other,
    },
  ];
}

/** Samples by condition with the mean of each condition; without conditions, each sample by its name. */
export function strips(summary: Summary, name: string, unnamed: string): Strip[] {
  const points = (samples: readonly SampleProportions[]) =>
    samples.flatMap((sample) => pointOf(summary, sample, name, sample.sample ?? ''));
  if (!hasConditions(summary)) {
    const { samples } = summary;
    if (samples.length > MOST_NAMED) return [{ name: '', n: null, points: points(samples), mean: null }];
    return samples.map((sample) => ({
      name: sample.sample ?? '',
      n: sample.n,
      points: points([sample]),
      mean: null,
    }));
  }
  return summary.conditions.map((condition) => ({
    name: condition.condition ?? unnamed,
    n: condition.n_samples,
    points: points(summary.samples.filter((sample) => sample.condition === condition.condition)),
    mean:
      condition.condition === null
        ? null
        : (pointOf(summary, condition, name, condition.condition)[0] ?? null),
  }));
}

/** Why a sample has no corrected value, or no value at all. */
export const missingReason = (sample: SampleProportions, name: string): string =>
  sample.classes[name]!.raw.value === null || sample.classes[name]!.corrected.value === null
    ? (sample.classes[name]!.corrected.reason ?? '')
    : '';

/** Digits of the proportions of a class, which are more if it is rare in all samples, as in the report. */
export function digitsOf(summary: Summary, name: string): number {
  const values = [...summary.samples, ...summary.conditions].map(
    ({ classes }) => classes[name]!.shown.value ?? 0,
  );
  return Math.max(...values, 0) < SMALL ? 4 : 3;
}
