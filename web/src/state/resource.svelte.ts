// Data from the server with its problem and loading state. All pages use this class.

import { outdated } from '../api/signals';

const RETRY_MS = 4000;

export interface ResourceOptions<T> {
  /** Milliseconds until the next reload, for example while images are being read; null for no reload. */
  pollMs?: (value: T) => number | null;
}

export class Resource<T> {
  value = $state.raw<T | null>(null); // the last value; it stays during a reload and after a failure
  error = $state.raw<unknown>(null); // problem of the last request
  loading = $state(false);
  #request: AbortController | null = null;
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
    this.loading = true;
    try {
      const value = await this.load(request.signal);
      if (!request.signal.aborted) this.set(value);
    } catch (error) {
      if (!request.signal.aborted) this.#failed(error);
    }
  }

  /** Set a newer value from another response or an event. */
  set(value: T): void {
    this.abort();
    this.value = value;
    this.error = null;
    const wait = this.options.pollMs?.(value) ?? null;
    if (wait !== null) this.#later(wait);
  }

  /** Cancel the pending request and later reloads. */
  abort(): void {
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#request = null;
    this.loading = false;
  }

  #failed(error: unknown): void {
    this.abort();
    this.error = error;
    if (this.options.pollMs) this.#later(RETRY_MS);
  }

  #later(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // Hidden pages do not reload.
      if (globalThis.document?.visibilityState === 'hidden') this.#later(wait);
      else void this.reload();
    }, wait);
  }
}

/**
 * A resource of a component. It loads immediately, and again whenever a value changes that `load` reads
 * before its first `await`, or when data is outdated.
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
  return created;
}
