// What stands beside what when trainings are compared.
import type { Comparison } from '../../../api/runs';

export type Row = Comparison['rows'][number];
export type Measured = Row['metrics'][number];

/** Whether a bar from 0 to 1 shows it, the longer the better. */
export function isGoodShare(metric: Pick<Measured, 'better' | 'scale'>): boolean {
  return metric.better === 'higher' && metric.scale === 'share';
}

/** The metrics that some run has a number for, those that a bar can show first. */
export function shownMetrics(rows: readonly Row[]): Measured[] {
  const byName = new Map<string, Measured>();
  for (const metric of rows.flatMap((row) => row.metrics)) {
    if (metric.value !== null && !byName.has(metric.name)) byName.set(metric.name, metric);
  }
  const metrics = [...byName.values()];
  return [...metrics.filter(isGoodShare), ...metrics.filter((metric) => !isGoodShare(metric))];
}

export function metricOf(row: Row, name: string): Measured | null {
  return row.metrics.find((metric) => metric.name === name) ?? null;
}

/** A difference with its sign, in `digits` digits; a dash where there is none. */
export function signed(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined) return '–';
  const text = Math.abs(value).toFixed(digits);
  return `${value < 0 ? '−' : '+'}${text}`;
}
