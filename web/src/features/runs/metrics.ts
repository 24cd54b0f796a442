// What tables of metrics have in common.

/** Whether a metric is between 0 and 1 and higher is better, so that a bar can show it. */
export function isGoodShare(metric: { better: string; scale: string }): boolean {
  return metric.better === 'higher' && metric.scale === 'share';
}

/** Reasons for a missing interval that several metrics share. They are shown once instead of in every row. */
export function sharedReasons(metrics: readonly { low: number | null; reason: string | null }[]): string[] {
  const reasons = metrics.flatMap(({ low, reason }) => (low === null && reason ? [reason] : []));
  return [...new Set(reasons)].filter((reason) => reasons.indexOf(reason) !== reasons.lastIndexOf(reason));
}
