// What stands beside what when trainings are compared.
import type { Comparison } from './server';

type Row = Comparison['rows'][number];
export interface Measured {
  value: number | null;
  low: number | null;
  high: number | null;
}

export const METRICS = [
  'macro_f1',
  'accuracy',
  'balanced_accuracy',
  'macro_precision',
  'macro_recall',
  'macro_auroc',
  'log_loss',
  'ece',
] as const;
export const LOWER_IS_BETTER: ReadonlySet<string> = new Set(['log_loss', 'ece']);

export function metricOf(row: Row, name: string): Measured | null {
  return (row.metrics[name] as Measured | undefined) ?? null;
}

/** The run with the best value, or null where several share it. */
export function best(rows: readonly Row[], name: string): string | null {
  const sign = LOWER_IS_BETTER.has(name) ? -1 : 1;
  const values = rows.flatMap((row) => {
    const value = metricOf(row, name)?.value;
    return value === null || value === undefined ? [] : [{ run: row.run, value: sign * value }];
  });
  const top = Math.max(...values.map((one) => one.value));
  const there = values.filter((one) => one.value === top);
  return there.length === 1 && values.length > 1 ? (there[0]?.run ?? null) : null;
}
