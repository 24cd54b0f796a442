// Scales and paths of charts.

/** Round steps from `low` to `high` with about `n` ticks. */
export function ticks(low: number, high: number, n = 5): number[] {
  const span = high - low;
  if (!(span > 0)) return [low];
  const rough = span / n;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((m) => m * power >= rough) ?? 10) * power;
  const first = Math.ceil(low / step - 1e-9);
  const values: number[] = [];
  for (let i = first; i * step <= high + step * 1e-9; i++) values.push(Number((i * step).toPrecision(12)));
  return values;
}

export type Point = readonly [number, number];
export type Scale = (value: number) => number;

/** A linear function from values to coordinates. */
export function linear(from: [number, number], to: [number, number]): Scale {
  const share = (to[1] - to[0]) / (from[1] - from[0] || 1);
  return (value) => to[0] + (value - from[0]) * share;
}

/** The `d` attribute of an SVG path through points. */
export function path(points: readonly Point[], x: Scale, y: Scale): string {
  return points.map(([a, b], i) => `${i ? 'L' : 'M'}${x(a).toFixed(2)} ${y(b).toFixed(2)}`).join('');
}

/** The corners of a curve that moves right to each point and then up, between which no threshold has a result. */
export function steps(points: readonly Point[]): Point[] {
  return points.flatMap(([x, y], i) => [[x, points[i - 1]?.[1] ?? y] as const, [x, y] as const]);
}

/** Start of an axis of shares that shows all intervals: 0, 0.5, 0.7, 0.8, 0.9, 0.95 or 0.98. */
export function shareStart(lowest: number): number {
  for (const start of [0.98, 0.95, 0.9, 0.8, 0.7, 0.5])
    if (lowest >= start + (1 - start) * 0.04) return start;
  return 0;
}
