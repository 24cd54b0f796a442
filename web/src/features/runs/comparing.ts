// What stands beside what when trainings are compared.
import type { Comparison } from '../../api/runs';

type Row = Comparison['rows'][number];
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

/** The run with the best value, or null where several share it. */
export function best(rows: readonly Row[], { name, better }: Measured): string | null {
  const sign = better === 'lower' ? -1 : 1;
  const values = rows.flatMap((row) => {
    const value = metricOf(row, name)?.value;
    return value === null || value === undefined ? [] : [{ run: row.run_id, value: sign * value }];
  });
  const top = Math.max(...values.map((one) => one.value));
  const there = values.filter((one) => one.value === top);
  return there.length === 1 && values.length > 1 ? (there[0]?.run ?? null) : null;
}
