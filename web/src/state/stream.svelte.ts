// Events of a job, for a page.
import type { JobMessage } from '../api/events';
import { connection } from './connection.svelte';

const FLUSH_MS = 100; // events within this time change the page at once

/** A handler for each kind of event. */
export type Handlers<Events> = { [Kind in keyof Events]: (data: Events[Kind]) => void };

/** The part of the connection that is used. */
interface Followable {
  followJob(id: string, number: number, listener: (message: JobMessage) => void): () => void;
}

export class Stream<Events> {
  #job: string | null = null;
  #number = 0; // of the last line of the log of this job
  #end: (() => void) | null = null;
  #waiting: (() => void)[] = [];
  #flushing: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly handlers: Handlers<Events>,
    private readonly followed: Followable = connection,
  ) {}

  /** Follow a job. The same job continues after the last line of its log. */
  follow(job: string): void {
    this.close();
    if (job !== this.#job) this.#number = 0;
    this.#job = job;
    this.#end = this.followed.followJob(job, this.#number, (message) => this.#receive(message));
  }

  close(): void {
    this.#end?.();
    this.#end = null;
    this.#flush();
  }

  #receive({ event, data, number }: JobMessage): void {
    if (number !== null) {
      if (number <= this.#number) return;
      this.#number = number;
    }
    if (!(event in this.handlers)) return;
    const kind = event as keyof Events;
    this.#waiting.push(() => this.handlers[kind](data as Events[typeof kind]));
    this.#flushing ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  #flush(): void {
    clearTimeout(this.#flushing);
    this.#flushing = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const deliver of waiting) deliver();
  }
}

/** The events of a job for a component. `job()` may change; null: none is followed. */
export function stream<Events>(job: () => string | null, handlers: Handlers<Events>): void {
  const created = new Stream<Events>(handlers);
  const current = $derived(job());
  $effect(() => {
    if (current === null) return;
    created.follow(current);
    return () => created.close();
  });
}
