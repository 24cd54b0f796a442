// A run as it is now: asked for once, then told by the server's event stream. All of it can be rebuilt at any time.
import { afterAll, empty, type Line, type Live } from './live';
import { at, isGoing, server, type Run, type RunDetail } from './server';

const FLUSH_MS = 100; // thousands of lines at once are one change of the page

export class WatchedRun {
  run = $state.raw<RunDetail | null>(null);
  live = $state.raw<Live>(empty());
  problem = $state.raw<unknown>(null);
  isConnected = $state(true);
  #source: EventSource | null = null;
  #isClosed = false;
  #lines: Line[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly id: string) {}

  async open(): Promise<void> {
    try {
      this.run = await server.run(this.id);
      this.problem = null;
      if (!this.#source && !this.#isClosed) this.#listen(); // a browser has few connections: none for a page left
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
    const source = new EventSource(`${at('runs', this.id, 'events')}?after=${this.live.last}`);
    this.#source = source;
    source.addEventListener('open', () => (this.isConnected = true));
    source.addEventListener('state', (event) => this.#state(JSON.parse(event.data) as Run));
    source.addEventListener('log', (event) => {
      this.#lines.push(JSON.parse(event.data) as Line);
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

  #state(state: Run): void {
    if (!this.run) return;
    const before = this.run.state;
    this.run = { ...this.run, ...state };
    if (before !== state.state && !isGoing(state.state)) void this.open(); // its notes and recipe are whole now
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.length) this.live = afterAll(this.live, this.#lines);
    this.#lines = [];
  }
}
