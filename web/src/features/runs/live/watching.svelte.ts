// A run as it is now: asked for once, then told by the server's event stream. All of it can be rebuilt at any time.
import { joined, MOST_LINES } from './live';
import { eventsOfJob, type RunEvents } from '../../../api/jobs';
import { isGoing, type LogLine, readRun, readRunLog, type RunDetail } from '../../../api/runs';

const FLUSH_MS = 100; // many lines at once are one change of the page

export class WatchedRun {
  run = $state.raw<RunDetail | null>(null);
  lines = $state.raw<readonly LogLine[]>([]); // of its log, oldest first
  problem = $state.raw<unknown>(null);
  isConnected = $state(true);
  #source: EventSource | null = null;
  #isClosed = false;
  #unread: LogLine[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly id: string) {}

  async open(): Promise<void> {
    try {
      this.run = await readRun(this.id);
      this.problem = null;
      // A browser has few connections: none for a page left, none for what has ended.
      if (isGoing(this.run.state) && !this.#source && !this.#isClosed) this.#listen();
    } catch (error) {
      this.problem = error;
    }
  }

  /** The log of a run that nothing is told of any more. */
  async readLog(): Promise<void> {
    if (this.#source) return;
    try {
      this.lines = joined(this.lines, await readRunLog(this.id, MOST_LINES));
    } catch (error) {
      this.problem = error;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#source?.close();
    this.#source = null;
    clearTimeout(this.#timer);
  }

  #listen(): void {
    const source = new EventSource(eventsOfJob(this.id, this.lines.at(-1)?.n));
    this.#source = source;
    source.addEventListener('open', () => (this.isConnected = true));
    source.addEventListener('state', (event) => this.#state(JSON.parse(event.data) as RunEvents['state']));
    source.addEventListener('trainings', (event) => {
      if (this.run) this.run = { ...this.run, trainings: JSON.parse(event.data) as RunEvents['trainings'] };
    });
    source.addEventListener('log', (event) => {
      this.#unread.push(JSON.parse(event.data) as RunEvents['log']);
      this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
    });
    source.addEventListener('error', () => {
      this.#flush();
      if (this.run && !isGoing(this.run.state)) {
        source.close(); // the stream ends with the run; a browser would ask for it again
        this.#source = null;
      } else {
        this.isConnected = false;
      }
    });
  }

  #state(state: RunEvents['state']): void {
    if (!this.run) return;
    const before = this.run.state;
    this.run = { ...this.run, ...state };
    if (before !== state.state && !isGoing(state.state)) void this.open(); // its notes and recipe are whole now
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.lines = joined(this.lines, this.#unread);
    this.#unread = [];
  }
}
