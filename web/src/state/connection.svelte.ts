// This tab's part of the event stream: what has changed, and the events of the jobs that it shows.
import { ACTIVITY, ANYTHING, type JobMessage, type Refusal } from '../api/events';
import { noResponse, outdated } from '../api/signals';
import { Hub, type FromTab, type Port, type ToTab } from './hub';

type Listener<T> = (value: T) => void;

interface Followed {
  number: number; // of the last line of the log
  listeners: Set<Listener<JobMessage>>;
}

/** The end of a port to the hub. */
export interface TabPort {
  postMessage(message: FromTab): void;
  addEventListener(kind: 'message', listener: (event: { data: ToTab }) => void): void;
  start?(): void;
}

export class Connection {
  isLost = $state(false); // the server does not respond, or sends no events
  refusal = $state<Refusal | null>(null); // why it sends none
  #port: TabPort | null = null;
  #jobs = new Map<string, Followed>();
  #topics = new Set<Listener<ReadonlySet<string>>>();

  /** Connect this tab; the result disconnects it. */
  start(connect: (onfailure: (port: TabPort) => void) => TabPort = connectTab): () => void {
    this.#use(connect((port) => this.#use(port)));
    const follow = () => this.#follow();
    const shown = (event: PageTransitionEvent) => {
      follow();
      if (event.persisted) outdated.emit(); // the browser kept the page, which received nothing meanwhile
    };
    const leave = () => this.#port?.postMessage({ kind: 'leave' });
    const end = noResponse.on(() => {
      this.isLost = true;
      this.#port?.postMessage({ kind: 'check' });
    });
    document.addEventListener('visibilitychange', follow);
    window.addEventListener('pageshow', shown);
    window.addEventListener('pagehide', leave);
    return () => {
      end();
      leave();
      document.removeEventListener('visibilitychange', follow);
      window.removeEventListener('pageshow', shown);
      window.removeEventListener('pagehide', leave);
    };
  }

  /** Call a listener with the topics that have changed; the result removes it. */
  onChange(listener: Listener<ReadonlySet<string>>): () => void {
    this.#topics.add(listener);
    return () => void this.#topics.delete(listener);
  }

  /** Call a listener when any data of this page may be outdated; the result removes it. */
  onOutdated(listener: () => void): () => void {
    const ends = [
      outdated.on(listener),
      this.onChange((topics) => {
        if (topics.has(ACTIVITY)) listener();
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  /** Call a listener with the events of a job after a line of its log; the result removes it. */
  followJob(id: string, number: number, listener: Listener<JobMessage>): () => void {
    const followed = this.#jobs.get(id) ?? { number, listeners: new Set() };
    followed.number = Math.min(followed.number, number);
    followed.listeners.add(listener);
    this.#jobs.set(id, followed);
    this.#follow();
    return () => {
      followed.listeners.delete(listener);
      if (!followed.listeners.size) this.#jobs.delete(id);
      this.#follow();
    };
  }

  #use(port: TabPort): void {
    this.#port = port;
    port.addEventListener('message', ({ data }) => this.#received(data));
    port.start?.();
    this.#follow();
  }

  #follow(): void {
    const isVisible = document.visibilityState === 'visible';
    const jobs = [...this.#jobs].map(([id, { number }]): [string, number] => [id, number]);
    this.#port?.postMessage({ kind: 'follow', isVisible, jobs });
  }

  #received(message: ToTab): void {
    if (message.kind === 'job') this.#receivedJob(message.message);
    else if (message.kind === 'changed') this.#changed(message.topics);
    else if (message.kind === 'lost') {
      this.isLost = true;
      this.refusal = message.refusal;
    } else {
      const wasLost = this.isLost;
      this.isLost = false;
      this.refusal = null;
      if (wasLost) outdated.emit();
      else if (message.isNew) this.#emit([ANYTHING]);
    }
  }

  #changed(topics: readonly string[]): void {
    this.#emit(topics.includes(ANYTHING) ? [...topics, ACTIVITY] : topics);
  }

  #emit(topics: readonly string[]): void {
    const changed = new Set(topics);
    for (const listener of [...this.#topics]) listener(changed);
  }

  #receivedJob(message: JobMessage): void {
    const followed = this.#jobs.get(message.id);
    if (!followed) return;
    if (message.number !== null) followed.number = Math.max(followed.number, message.number);
    for (const listener of [...followed.listeners]) listener(message);
  }
}

/** Connect to the hub of all tabs, or to one of this tab where there is none. */
function connectTab(onfailure: (port: TabPort) => void): TabPort {
  if (!('SharedWorker' in globalThis)) return ownHub();
  const worker = new SharedWorker(new URL('./hub.worker.ts', import.meta.url), {
    type: 'module',
    name: document.baseURI,
  });
  worker.addEventListener('error', () => onfailure(ownHub()), { once: true });
  return worker.port as TabPort;
}

function ownHub(): TabPort {
  const { port1, port2 } = new MessageChannel();
  new Hub().connect(port1 as Port);
  return port2 as TabPort;
}

export const connection = new Connection();
