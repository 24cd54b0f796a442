// Rows and metrics of a comparison.
import type { Comparison } from '../../../api/runs';
import { isGoodShare } from '../metrics';

export type Row = Comparison['rows'][number];
export type Metric = Row['metrics'][number];

/** Address of the training or evaluation of a row. */
export function pageOf({ run_id, is_evaluation }: Pick<Row, 'run_id' | 'is_evaluation'>): string {
  return `${is_evaluation ? 'evaluations' : 'runs'}/${encodeURIComponent(run_id)}`;
}

/** All metrics that a run has a value for. Metrics that a bar can show come first. */
export function shownMetrics(rows: readonly Row[]): Metric[] {
  const byName = new Map<string, Metric>();
  for (const metric of rows.flatMap((row) => row.metrics)) {
    if (metric.value !== null && !byName.has(metric.name)) byName.set(metric.name, metric);
  }
  const metrics = [...byName.values()];
  return [...metrics.filter(isGoodShare), ...metrics.filter((metric) => !isGoodShare(metric))];
}

export function metricOf(row: Row, name: string): Metric | null {
  return row.metrics.find((metric) => metric.name === name) ?? null;
}

/** Key metrics, in this order after the primary metric. */
const KEY = ['macro_f1', 'accuracy', 'balanced_accuracy', 'macro_auroc', 'ece_excess', 'log_loss', 'mcc'];
const MOST = 5;

/** The five key metrics of a comparison. */
export function keyMetrics<M extends { name: string }>(metrics: readonly M[], primary: string): M[] {
  const place = (name: string) => (name === primary ? -1 : KEY.indexOf(name));
  return metrics
    .filter(({ name }) => name === primary || KEY.includes(name))
    .sort((a, b) => place(a.name) - place(b.name))
    .slice(0, MOST);
}
