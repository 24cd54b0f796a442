// The only event stream of a browser, shared by its tabs: browsers limit the connections to a server. It runs in a
// SharedWorker, or in each tab where there are none. Hidden tabs receive nothing; without a visible tab, the stream is
// closed.
import { refusalOf, streamAddress, type Changed, type Refusal } from '../api/events';

const GATHER_MS = 50; // changes of the tabs within this time open the stream once
const RETRY_MS = [250, 1000, 2000];

/** What a tab tells the hub. */
export type FromTab =
  | { kind: 'follow'; isVisible: boolean; jobs: string[] }
  | { kind: 'check' } // a request received no response
  | { kind: 'leave' };

/** What the hub tells a tab. */
export type ToTab =
  | { kind: 'live'; isNew: boolean } // isNew: what changed before is unknown
  | { kind: 'lost'; refusal: Refusal | null } // refusal: the server responds, but sends no events
  | { kind: 'changed'; topics: string[]; jobs: Changed['jobs'] };

/** The part of `MessagePort` that is used. */
export interface Port {
  postMessage(message: ToTab): void;
  addEventListener(kind: 'message', listener: (event: { data: FromTab }) => void): void;
  addEventListener(kind: 'close', listener: () => void): void;
  start?(): void;
}

/** The part of `EventSource` that is used. */
export interface Source {
  addEventListener(kind: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

interface Tab {
  isVisible: boolean;
  jobs: ReadonlySet<string>;
  missed: Set<string>; // topics that changed while it was hidden
}

export class Hub {
  #tabs = new Map<Port, Tab>();
  #source: Source | null = null;
  #jobs = ''; // that the open stream names
  #isBehind = false; // a tab needs all fields of a job, which the open stream has already sent
  #isLive = false;
  #lastId = '';
  #nFailures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly open: (url: string) => Source = (url) => new EventSource(url),
    private readonly refused: (url: string) => Promise<Refusal | null> = refusalOf,
  ) {}

  connect(port: Port): void {
    port.addEventListener('message', ({ data }) => this.#received(port, data));
    port.addEventListener('close', () => this.#left(port)); // the tab was closed or has crashed
    port.start?.();
  }

  #received(port: Port, message: FromTab): void {
    if (message.kind === 'leave') this.#left(port);
    else if (message.kind === 'check') this.#reopen(0);
    else this.#follow(port, message.isVisible, new Set(message.jobs));
  }

  #left(port: Port): void {
    if (this.#tabs.delete(port)) this.#later(GATHER_MS);
  }

  #follow(port: Port, isVisible: boolean, jobs: ReadonlySet<string>): void {
    const before = this.#tabs.get(port);
    if (isVisible && [...jobs].some((id) => !before?.isVisible || !before.jobs.has(id)))
      this.#isBehind = true;
    this.#tabs.set(port, { isVisible, jobs, missed: new Set(isVisible ? [] : before?.missed) });
    if (isVisible && before?.missed.size)
      port.postMessage({ kind: 'changed', topics: [...before.missed], jobs: {} });
    if (!before && this.#isLive) port.postMessage({ kind: 'live', isNew: false });
    this.#later(GATHER_MS);
  }

  /** The jobs that visible tabs follow. */
  #wanted(): string[] {
    const visible = [...this.#tabs.values()].filter(({ isVisible }) => isVisible);
    return [...new Set(visible.flatMap(({ jobs }) => [...jobs]))].sort();
  }

  #later(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#update(), wait);
  }

  #update(): void {
    if (![...this.#tabs.values()].some(({ isVisible }) => isVisible)) this.#close();
    else if (!this.#source || this.#isBehind || this.#jobs !== this.#wanted().join()) this.#listen();
  }

  #close(): void {
    this.#source?.close();
    this.#source = null;
    this.#isLive = false;
  }

  #reopen(wait: number): void {
    this.#close();
    this.#later(wait);
  }

  #listen(): void {
    this.#close();
    const jobs = this.#wanted();
    const isNew = this.#lastId === '';
    const url = streamAddress(jobs, this.#lastId);
    const source = this.open(url);
    this.#source = source;
    this.#jobs = jobs.join();
    this.#isBehind = false;
    const on = (kind: string, handle: (event: MessageEvent<string>) => void) =>
      source.addEventListener(kind, (event) => {
        if (source === this.#source) handle(event);
      });
    on('open', () => {
      this.#isLive = true;
      this.#nFailures = 0;
      this.#send({ kind: 'live', isNew });
    });
    on('message', (event) => this.#changed(JSON.parse(event.data) as Changed));
    on('error', () => void this.#lost(url));
  }

  /** The address contains what the tabs have, so the browser must not repeat the request by itself. */
  async #lost(url: string): Promise<void> {
    this.#nFailures += 1;
    this.#reopen(RETRY_MS[Math.min(this.#nFailures, RETRY_MS.length) - 1]!);
    // A connection can end although the server still responds. It is lost if it cannot be opened again.
    if (this.#nFailures === 1) return;
    const refusal = await this.refused(url);
    if (this.#isLive) return; // it could be opened meanwhile
    this.#send({ kind: 'lost', refusal });
    if (refusal && !this.#source) this.#later(refusal.seconds * 1000);
  }

  #changed({ number, topics, jobs }: Changed): void {
    this.#lastId = number;
    for (const [port, tab] of this.#tabs)
      if (tab.isVisible) port.postMessage({ kind: 'changed', topics, jobs });
      else for (const topic of topics) tab.missed.add(topic);
  }

  #send(message: ToTab): void {
    for (const port of this.#tabs.keys()) port.postMessage(message);
  }
}
