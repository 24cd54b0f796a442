import type { Comparison } from '../../../api/runs';

export type Row = Comparison['rows'][number];

/** Address of the training or evaluation of a row. */
export function pageOf({ run_id, is_evaluation }: Pick<Row, 'run_id' | 'is_evaluation'>): string {
  return `${is_evaluation ? 'evaluations' : 'runs'}/${encodeURIComponent(run_id)}`;
}
