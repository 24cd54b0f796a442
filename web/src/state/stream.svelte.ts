// Server-sent events of a page.

const FLUSH_MS = 100; // events within this time change the page at once
const RETRY_MS = [1000, 2000, 5000, 10_000];

/** A handler for each kind of event. */
export type Handlers<Events> = { [Kind in keyof Events]: (data: Events[Kind]) => void };

/** The part of `EventSource` that is used. */
export interface Source {
  readonly readyState: number;
  addEventListener(kind: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

const CLOSED = 2;

export class Stream<Events> {
  isConnected = $state(true); // false: the page may be outdated
  #address: string | null = null;
  #source: Source | null = null;
  #lastId = ''; // id of the last event from this address
  #waiting: (() => void)[] = [];
  #flushing: ReturnType<typeof setTimeout> | undefined;
  #retrying: ReturnType<typeof setTimeout> | undefined;
  #nTries = 0;

  constructor(
    private readonly handlers: Handlers<Events>,
    private readonly open: (url: string) => Source = (url) => new EventSource(url),
  ) {}

  /** Connect to an address. The same address continues after the last event. */
  connect(address: string): void {
    this.close();
    if (address !== this.#address) this.#lastId = '';
    this.#address = address;
    this.#nTries = 0;
    this.#listen(address);
  }

  /** Close the connection, because browsers limit the number of connections. */
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
      source.addEventListener(kind, (event) => this.#receive(kind, event));
    source.addEventListener('error', () => this.#lost(source, address));
  }

  #receive<Kind extends keyof Events & string>(kind: Kind, event: MessageEvent<string>): void {
    if (event.lastEventId) this.#lastId = event.lastEventId;
    this.#waiting.push(() => this.handlers[kind](JSON.parse(event.data) as Events[Kind]));
    this.#flushing ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  /**
   * After a lost connection, browsers connect again, unless the server refused the request. It is then
   * repeated later.
   */
  #lost(source: Source, address: string): void {
    if (source !== this.#source) return;
    this.isConnected = false;
    this.#flush(); // handle the last event now, because it may end the job and close the stream
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

/** The stream of a component. It connects to `address()`, which may change; null closes it. */
export function stream<Events>(address: () => string | null, handlers: Handlers<Events>): Stream<Events> {
  const created = new Stream<Events>(handlers);
  const current = $derived(address());
  $effect(() => {
    if (current === null) return;
    created.connect(current);
    return () => created.close();
  });
  return created;
}
