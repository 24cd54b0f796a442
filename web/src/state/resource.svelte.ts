// What a page has asked the server for: the answer, or why there is none. The one way for pages to hold an answer.

import { outdated } from '../api/signals';

const RETRY_MS = 4000;

export interface ResourceOptions<T> {
  /** After how many ms it is asked for again, such as while images are being read; null when it stays as it is. */
  again?: (value: T) => number | null;
}

export class Resource<T> {
  value = $state.raw<T | null>(null); // the last answer; it stays while a newer one is asked for, and where that fails
  error = $state.raw<unknown>(null); // why the last request brought none
  loading = $state(false);
  #request: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly load: (signal: AbortSignal) => Promise<T>,
    private readonly options: ResourceOptions<T> = {},
  ) {}

  /** Reload. A pending request is canceled, because its answer would be older. */
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

  /** The newer state that another answer or an event brought. */
  set(value: T): void {
    this.abort();
    this.value = value;
    this.error = null;
    const wait = this.options.again?.(value) ?? null;
    if (wait !== null) this.#later(wait);
  }

  /** Give up the request on its way, and ask no more. */
  abort(): void {
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#request = null;
    this.loading = false;
  }

  #failed(error: unknown): void {
    this.abort();
    this.error = error;
    if (this.options.again) this.#later(RETRY_MS);
  }

  #later(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // Nobody looks: the next turn may be in time.
      if (globalThis.document?.visibilityState === 'hidden') this.#later(wait);
      else void this.reload();
    }, wait);
  }
}

/**
 * For a component, while it is there: loaded at once, and again whenever something changes that `load` reads before
 * it first waits, or something was changed elsewhere.
 */
export function resource<T>(
  load: (signal: AbortSignal) => Promise<T>,
  options: ResourceOptions<T> = {},
): Resource<T> {
  const made = new Resource<T>(load, options);
  $effect(() => {
    void made.reload();
    return () => made.abort();
  });
  $effect(() => outdated.on(() => void made.reload()));
  return made;
}
