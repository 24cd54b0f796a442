// What the live page keeps of the log. How far a run is and what it has reached is folded by the server alone.
import type { LogLine, Training } from '../../../api/runs';

export const MOST_LINES = 2000;

/** The lines with those that are new; lines that come twice, as after a lost connection, stand there once. */
export function joined(lines: readonly LogLine[], more: readonly LogLine[]): readonly LogLine[] {
  const last = lines.at(-1)?.n ?? 0;
  const fresh = more.filter((line) => line.n > last);
  return fresh.length ? [...lines, ...fresh].slice(-MOST_LINES) : lines;
}

/** Tells the trainings of one run apart: folds, its own, a first one on other images. */
export function keyOf(training: Training): string {
  return `${training.is_pretraining ? 'first' : 'own'}-${training.fold ?? 'all'}`;
}
