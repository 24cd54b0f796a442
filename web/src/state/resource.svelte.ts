// Data from the server with its problem and loading state. All pages use this class.

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
  #changes = new Set<string>(); // topics that changed during the request
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
    if (this.loading) for (const topic of topics) this.#changes.add(topic);
    else if (this.#dependsOn(topics)) this.#reloadSoon();
  }

  /** Cancel the pending request and later reloads. */
  abort(): void {
    clearTimeout(this.#timer);
    this.#changes = new Set();
    this.#request?.abort();
    this.#request = null;
    this.loading = false;
  }

  #ended(value: T | null, error: unknown): void {
    const changes = this.#changes;
    this.abort();
    this.value = value;
    this.error = error;
    if (this.#dependsOn(changes)) this.#reloadSoon();
  }

  #dependsOn(topics: ReadonlySet<string>): boolean {
    if (topics.has(ACTIVITY)) return true;
    const own = this.options.topics?.(this.value) ?? [];
    return own.length > 0 && (topics.has(ANYTHING) || own.some((topic) => topics.has(topic)));
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
  follow(created);
  return created;
}

/** Reload a resource when data is outdated, or when one of its topics changes. */
export function follow<T>(it: Resource<T>): void {
  $effect(() => outdated.on(() => void it.reload()));
  $effect(() => connection.onChange((topics) => it.changed(topics)));
}
