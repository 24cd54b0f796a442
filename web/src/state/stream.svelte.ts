// What the server tells by itself (server-sent events), for as long as a page wants to know it.

const FLUSH_MS = 100; // many events at once are one change of the page
const RETRY_MS = [1000, 2000, 5000, 10_000];

/** For each kind of event what is done with what it carries. */
export type Handlers<Events> = { [Kind in keyof Events]: (data: Events[Kind]) => void };

/** What is used of an `EventSource`. */
export interface Source {
  readonly readyState: number;
  addEventListener(kind: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

const CLOSED = 2;

export class Stream<Events> {
  isConnected = $state(true); // false: what the page shows may be old
  #address: string | null = null;
  #source: Source | null = null;
  #lastId = ''; // of the events of this address
  #waiting: (() => void)[] = [];
  #flushing: ReturnType<typeof setTimeout> | undefined;
  #retrying: ReturnType<typeof setTimeout> | undefined;
  #nTries = 0;

  constructor(
    private readonly handlers: Handlers<Events>,
    private readonly open: (url: string) => Source = (url) => new EventSource(url),
  ) {}

  /** Listen at an address; one that was listened to before goes on after the last event that is known. */
  connect(address: string): void {
    this.close();
    if (address !== this.#address) this.#lastId = '';
    this.#address = address;
    this.#nTries = 0;
    this.#listen(address);
  }

  /** Browsers have few connections: none for a page that was left, none for what has ended. */
  close(): void {
    clearTimeout(this.#retrying);
    this.#source?.close();
    this.#source = null;
    this.#flush();
    this.isConnected = true;
  }

  #listen(address: string): void {
    const after = this.#lastId && `${address.includes('?') ? '&' : '?'}after=${this.#lastId}`;
    const source = this.open(address + after);
    this.#source = source;
    source.addEventListener('open', () => {
      this.isConnected = true;
      this.#nTries = 0;
    });
    for (const kind of Object.keys(this.handlers) as (keyof Events & string)[])
      source.addEventListener(kind, (event) => this.#heard(kind, event));
    source.addEventListener('error', () => this.#lost(source, address));
  }

  #heard<Kind extends keyof Events & string>(kind: Kind, event: MessageEvent<string>): void {
    if (event.lastEventId) this.#lastId = event.lastEventId;
    this.#waiting.push(() => this.handlers[kind](JSON.parse(event.data) as Events[Kind]));
    this.#flushing ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  /** A browser listens again by itself, unless the server refused. What it refused may work later. */
  #lost(source: Source, address: string): void {
    if (source !== this.#source) return;
    this.isConnected = false;
    this.#flush(); // the last event may have been that all has ended, upon which the page closes the stream
    if (source.readyState !== CLOSED) return;
    const wait = RETRY_MS[Math.min(this.#nTries, RETRY_MS.length - 1)];
    this.#nTries += 1;
    clearTimeout(this.#retrying);
    this.#retrying = setTimeout(() => this.#listen(address), wait);
  }

  #flush(): void {
    clearTimeout(this.#flushing);
    this.#flushing = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const deliver of waiting) deliver();
  }
}

/** For a component, while it is there: listens at `address()`, which may change; null closes the stream. */
export function stream<Events>(address: () => string | null, handlers: Handlers<Events>): Stream<Events> {
  const made = new Stream<Events>(handlers);
  const current = $derived(address());
  $effect(() => {
    if (current === null) return;
    made.connect(current);
    return () => made.close();
  });
  return made;
}
