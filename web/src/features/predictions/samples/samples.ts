// Proportions of one class in samples, for the plot and the tables.
import type { Strip, StripPoint } from '../../../charts/StripPlot.svelte';
import type { Band } from '../../../charts/BandPlot.svelte';
import type { PlateWell } from '../../../charts/PlateMap.svelte';
import type { SampledSummary, SampleProportions, Summary } from '../../../api/predictions';

const SMALL = 0.1; // proportion of a rare class

interface Names {
  allSamples: string;
  withoutCondition: string;
}

/** Whether the proportion of a class is corrected in all samples; otherwise raw ones are compared. */
export const isCorrected = (summary: Summary, name: string): boolean =>
  summary.samples.every(({ n, classes }) => n === 0 || classes[name]!.corrected.value !== null);

/** The name of a condition: samples without one are all samples, or the rest. */
const conditionName = (summary: Summary, condition: string | null, names: Names): string =>
  condition ?? (summary.conditions.length === 1 ? names.allSamples : names.withoutCondition);

function pointOf(sample: SampleProportions, name: string, corrected: boolean, label: string): StripPoint[] {
  const { raw, corrected: adjusted } = sample.classes[name]!;
  const { value, low, high } = corrected ? adjusted : raw;
  return value === null ? [] : [{ name: label, value, low: low ?? null, high: high ?? null }];
}

export function strips(summary: Summary, name: string, names: Names): Strip[] {
  const corrected = isCorrected(summary, name);
  return summary.conditions.map((condition) => {
    const label = conditionName(summary, condition.condition, names);
    const own = summary.samples.filter((sample) => sample.condition === condition.condition);
    return {
      name: label,
      points: own.flatMap((sample) => pointOf(sample, name, corrected, sample.sample ?? '')),
      mean: pointOf(condition, name, corrected, label)[0] ?? null,
    };
  });
}

/** Digits of the proportions of a class, which are more if it is rare in all samples, as in the report. */
export function digitsOf(summary: Summary, name: string): number {
  const values = [...summary.samples, ...summary.conditions].map(({ classes }) => {
    const { raw, corrected } = classes[name]!;
    return (isCorrected(summary, name) ? corrected : raw).value ?? 0;
  });
  return Math.max(...values, 0) < SMALL ? 4 : 3;
}

/** The curve of each condition over time with its interval, and those of its samples. */
export function bands(summary: Summary, name: string, names: Names): Band[] {
  const corrected = isCorrected(summary, name);
  return summary.conditions.map(({ condition }) => {
    const ofCondition = summary.series.filter((each) => each.condition === condition);
    const curve = (sample: string | null) =>
      ofCondition
        .filter((each) => each.sample === sample)
        .flatMap((each) =>
          pointOf(each, name, corrected, '').map(({ value, low, high }) => ({
            x: each.time ?? 0,
            value,
            low,
            high,
          })),
        );
    const samples = new Set(ofCondition.flatMap(({ sample }) => (sample === null ? [] : [sample])));
    return {
      name: conditionName(summary, condition, names),
      points: curve(null),
      lines: [...samples].map((sample) => curve(sample)),
    };
  });
}

/** The upper folder of each sample that is named by folders, such as the dose of `10/plate1`; empty if some have none. */
export function upperFolders(summary: Summary): Record<string, string> {
  const names = summary.samples.map(({ sample }) => sample ?? '');
  if (!names.length || !names.every((name) => name.includes('/'))) return {};
  return Object.fromEntries(names.map((name) => [name, name.split('/')[0]!]));
}

interface Plates {
  size: [number, number]; // rows and columns
  largest: number; // proportion on any plate
  maps: { name: string; wells: PlateWell[] }[];
}

/** The plates with the proportion of a class in each well: 96 wells if they have room for all, else 384. */
export function platesOf({ summary, wells }: SampledSummary, name: string): Plates {
  const corrected = isCorrected(summary, name);
  const maps = new Map<string, PlateWell[]>();
  for (const { sample, classes } of summary.samples) {
    const well = wells[sample ?? ''];
    if (!well) continue;
    const { raw, corrected: adjusted } = classes[name]!;
    const { row, column } = well;
    const drawn = { name: sample ?? '', row, column, value: (corrected ? adjusted : raw).value };
    maps.set(well.plate, [...(maps.get(well.plate) ?? []), drawn]);
  }
  const all = [...maps.values()].flat();
  const isSmall = all.every(({ row, column }) => row < 8 && column < 12);
  return {
    size: isSmall ? [8, 12] : [16, 24],
    largest: Math.max(0, ...all.map(({ value }) => value ?? 0)),
    maps: [...maps].map(([plate, own]) => ({ name: plate, wells: own })),
  };
}
