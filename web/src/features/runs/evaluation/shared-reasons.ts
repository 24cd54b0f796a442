/** Reasons for a missing interval that several metrics share. They are shown once instead of in every row. */
export function sharedReasons(metrics: readonly { low: number | null; reason: string | null }[]): string[] {
  const reasons = metrics.flatMap(({ low, reason }) => (low === null && reason ? [reason] : []));
  return [...new Set(reasons)].filter((reason) => reasons.indexOf(reason) !== reasons.lastIndexOf(reason));
}
