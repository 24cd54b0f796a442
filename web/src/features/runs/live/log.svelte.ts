// The log of a run: lines from the event stream or all lines at once.
import { readJobLog, type LogLine } from '../../../api/jobs';

export const MOST_LINES = 2000;

/** Add new lines. Lines that are received twice, for example after a lost connection, are added once. */
export function joined(lines: readonly LogLine[], more: readonly LogLine[]): readonly LogLine[] {
  const last = lines.at(-1)?.n ?? 0;
  const fresh = more.filter((line) => line.n > last);
  return fresh.length ? [...lines, ...fresh].slice(-MOST_LINES) : lines;
}

export class RunLog {
  lines = $state.raw<readonly LogLine[]>([]); // oldest first
  problem = $state.raw<unknown>(null);

  constructor(private readonly id: string) {}

  add(line: LogLine): void {
    this.lines = joined(this.lines, [line]);
  }

  /** Load the log of a run whose event stream has ended. */
  async read(): Promise<void> {
    try {
      const lines = await readJobLog(this.id, MOST_LINES);
      this.lines = joined(
        this.lines,
        lines.filter(({ event }) => event !== 'Output'), // which the page has in full
      );
      this.problem = null;
    } catch (error) {
      this.problem = error;
    }
  }
}
