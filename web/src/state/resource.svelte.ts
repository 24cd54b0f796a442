// Data from the server with its problem and loading state. All pages use this class.

import { dequal } from 'dequal';
import { ACTIVITY, ANYTHING } from '../api/events';
import { outdated } from '../api/signals';
import { connection } from './connection.svelte';

const LEAST_MS = 1000; // between two reloads because of changes: progress changes often

export interface ResourceOptions<T> {
  /** Topics of the workspace that make the value outdated; it is null before the first response. */
  topics?: (value: T | null) => readonly string[];
}

export class Resource<T> {
  value = $state.raw<T | null>(null); // the last value; it stays during a reload and after a failure
  error = $state.raw<unknown>(null); // problem of the last request
  loading = $state(false);
  #request: AbortController | null = null;
  #isStale = false; // something changed since the last request
  #requestedAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly load: (signal: AbortSignal) => Promise<T>,
    private readonly options: ResourceOptions<T> = {},
  ) {}

  /** Reload. A pending request is canceled, because its response would be older. */
  async reload(): Promise<void> {
    this.abort();
    const request = new AbortController();
    this.#request = request;
    this.#requestedAt = performance.now();
    this.loading = true;
    try {
      const value = await this.load(request.signal);
      if (!request.signal.aborted) this.#ended(value, null);
    } catch (error) {
      if (!request.signal.aborted) this.#ended(this.value, error);
    }
  }

  /** Set a newer value from another response or an event. */
  set(value: T): void {
    this.abort();
    this.value = value;
    this.error = null;
  }

  /**
   * Topics of the workspace have changed. Reload soon, after a pending request, if the value depends on them.
   * Every value depends on which jobs and datasets there are.
   */
  changed(topics: ReadonlySet<string>): void {
    const own = this.options.topics?.(this.value) ?? [];
    const isOwn = own.length > 0 && (topics.has(ANYTHING) || own.some((topic) => topics.has(topic)));
    if (!isOwn && !topics.has(ACTIVITY)) return;
    this.#isStale = true;
    if (!this.loading) this.#reloadSoon();
  }

  /** Cancel the pending request and later reloads. */
  abort(): void {
    clearTimeout(this.#timer);
    this.#isStale = false;
    this.#request?.abort();
    this.#request = null;
    this.loading = false;
  }

  #ended(value: T | null, error: unknown): void {
    const isStale = this.#isStale;
    this.abort();
    if (!dequal(value, this.value)) this.value = value; // what depends on an equal value need not load again
    this.error = error;
    this.#isStale = isStale;
    if (isStale) this.#reloadSoon();
  }

  #reloadSoon(): void {
    clearTimeout(this.#timer);
    const wait = Math.max(0, this.#requestedAt + LEAST_MS - performance.now());
    this.#timer = setTimeout(() => void this.reload(), wait);
  }
}

/**
 * A resource of a component. It loads immediately, and again whenever a value changes that `load` reads
 * before its first `await`, when data is outdated, or when one of its topics changes.
 */
export function resource<T>(
  load: (signal: AbortSignal) => Promise<T>,
  options: ResourceOptions<T> = {},
): Resource<T> {
  const created = new Resource<T>(load, options);
  $effect(() => {
    void created.reload();
    return () => created.abort();
  });
  $effect(() => outdated.on(() => void created.reload()));
  $effect(() => connection.onChange((topics) => created.changed(topics)));
  return created;
}
