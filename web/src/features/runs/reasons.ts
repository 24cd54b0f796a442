// Why metrics have no interval: a reason that several of them share is shown once, not in every row.

/** Reasons that more than one metric without an interval has. */
export function sharedReasons(metrics: readonly { low: number | null; reason: string | null }[]): string[] {
  const reasons = metrics.flatMap(({ low, reason }) => (low === null && reason ? [reason] : []));
  return [...new Set(reasons)].filter((reason) => reasons.indexOf(reason) !== reasons.lastIndexOf(reason));
}
