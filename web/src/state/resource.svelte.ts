// Data from the server with its problem and loading state. All pages use this class.

import { ACTIVITY, ANYTHING, type Changed } from '../api/events';
import { outdated } from '../api/signals';
import { connection } from './connection.svelte';

const LEAST_MS = 1000; // between two reloads because of changes: progress changes often

export interface ResourceOptions<T> {
  /** Topics of the workspace that make the value outdated; it is null before the first response. */
  topics?: (value: T | null) => readonly string[];
  /** The job in progress whose fields the value contains. They are set when they change. */
  job?: (value: T) => string | null;
  /** What the value belongs to, such as the ID of the chosen dataset. A value or a problem of another key is not shown. */
  key?: () => string | number | null;
}

interface Result<T> {
  key: string | number | null | undefined;
  value: T | null;
  error: unknown;
}

export class Resource<T> {
  #last = $state.raw<Result<T>>({ key: undefined, value: null, error: null });
  loading = $state(false);
  #request: AbortController | null = null;
  #changes = new Set<string>(); // topics that changed during the request
  #requestedAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly load: (signal: AbortSignal) => Promise<T>,
    private readonly options: ResourceOptions<T> = {},
  ) {}

  /** The last value of the key; it stays during a reload and after a failure. */
  get value(): T | null {
    return this.#last.key === this.options.key?.() ? this.#last.value : null;
  }

  /** Problem of the last request of the key. */
  get error(): unknown {
    return this.#last.key === this.options.key?.() ? this.#last.error : null;
  }

  /** Reload. A pending request is canceled, because its response would be older. */
  async reload(): Promise<void> {
    this.abort();
    const request = new AbortController();
    const key = this.options.key?.();
    this.#request = request;
    this.#requestedAt = performance.now();
    this.loading = true;
    try {
      const value = await this.load(request.signal);
      if (!request.signal.aborted) this.#ended({ key, value, error: null });
    } catch (error) {
      if (!request.signal.aborted) this.#ended({ key, value: this.value, error });
    }
  }

  /** The job to follow. */
  get job(): string | null {
    return this.value === null ? null : (this.options.job?.(this.value) ?? null);
  }

  /** Set a newer value from another response or an event. */
  set(value: T): void {
    this.abort();
    this.#last = { key: this.options.key?.(), value, error: null };
  }

  /**
   * Topics of the workspace, or fields of followed jobs, have changed. Reload soon, after a pending request, if the
   * value depends on the topics. Every value depends on which jobs and datasets there are.
   */
  changed(topics: ReadonlySet<string>, jobs: Changed['jobs'] = {}): void {
    const fields = this.job === null ? undefined : jobs[this.job];
    if (fields) this.set({ ...this.value!, ...(fields as Partial<T>) });
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

  #ended(result: Result<T>): void {
    const changes = this.#changes;
    this.abort();
    this.#last = result;
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

/** Reload a resource when data is outdated, or when one of its topics changes, and follow its job. */
export function follow<T>(it: Resource<T>): void {
  const job = $derived(it.job);
  $effect(() => outdated.on(() => void it.reload()));
  $effect(() => connection.onChange((topics, jobs) => it.changed(topics, jobs)));
  $effect(() => (job === null ? undefined : connection.followJob(job)));
}
