// Proportions of one class in samples, for the plot and the table.
import type { Strip, StripPoint } from '../../../charts/StripPlot.svelte';
import type { SampleProportions, Summary } from '../../../api/predictions';

const SMALL = 0.1; // proportion of a rare class

interface Names {
  allSamples: string;
  withoutCondition: string;
}

/** The name of a condition: samples without one are all samples, or the rest. */
const conditionName = (summary: Summary, condition: string | null, names: Names): string =>
  condition ?? (summary.conditions.length === 1 ? names.allSamples : names.withoutCondition);

function pointOf(sample: SampleProportions, name: string, label: string): StripPoint[] {
  const { value, low, high } = sample.classes[name]!.shown;
  return value === null ? [] : [{ name: label, value, low: low ?? null, high: high ?? null }];
}

export function strips(summary: Summary, name: string, names: Names): Strip[] {
  return summary.conditions.map((condition) => {
    const label = conditionName(summary, condition.condition, names);
    const own = summary.samples.filter((sample) => sample.condition === condition.condition);
    return {
      name: label,
      points: own.flatMap((sample) => pointOf(sample, name, sample.sample ?? '')),
      mean: pointOf(condition, name, label)[0] ?? null,
    };
  });
}

/** Digits of the proportions of a class, which are more if it is rare in all samples, as in the report. */
export function digitsOf(summary: Summary, name: string): number {
  const values = [...summary.samples, ...summary.conditions].map(
    ({ classes }) => classes[name]!.shown.value ?? 0,
  );
  return Math.max(...values, 0) < SMALL ? 4 : 3;
}

/** The upper folder of each sample that is named by folders, such as the dose of `10/plate1`; empty if some have none. */
export function upperFolders(summary: Summary): Record<string, string> {
  const names = summary.samples.map(({ sample }) => sample ?? '');
  if (!names.length || !names.every((name) => name.includes('/'))) return {};
  return Object.fromEntries(names.map((name) => [name, name.split('/')[0]!]));
}
