// This tab's part of the event stream: what has changed, and the jobs that it shows.
import { ACTIVITY, ANYTHING, type Changed, type Refusal } from '../api/events';
import { noResponse, outdated } from '../api/signals';
import { Hub, type FromTab, type Port, type ToTab } from './hub';

type Listener = (topics: ReadonlySet<string>, jobs: Changed['jobs']) => void;

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
  #jobs: string[] = []; // a job can be there more than once
  #listeners = new Set<Listener>();

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

  /** Call a listener with what has changed; the result removes it. */
  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
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

  /** Receive the changed fields of a job, at first all; the result ends this. */
  followJob(id: string): () => void {
    this.#jobs.push(id);
    this.#follow();
    return () => {
      this.#jobs.splice(this.#jobs.indexOf(id), 1);
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
    this.#port?.postMessage({ kind: 'follow', isVisible, jobs: [...this.#jobs] });
  }

  #received(message: ToTab): void {
    if (message.kind === 'changed') this.#changed(message.topics, message.jobs);
    else if (message.kind === 'lost') {
      this.isLost = true;
      this.refusal = message.refusal;
    } else {
      const wasLost = this.isLost;
      this.isLost = false;
      this.refusal = null;
      if (wasLost) outdated.emit();
      else if (message.isNew) this.#emit([ANYTHING], {});
    }
  }

  #changed(topics: readonly string[], jobs: Changed['jobs']): void {
    this.#emit(topics.includes(ANYTHING) ? [...topics, ACTIVITY] : topics, jobs);
  }

  #emit(topics: readonly string[], jobs: Changed['jobs']): void {
    const changed = new Set(topics);
    for (const listener of [...this.#listeners]) listener(changed, jobs);
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
