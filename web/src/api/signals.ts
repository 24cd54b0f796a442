// Signals between requests and pages: another tab changed data, or the server does not respond.

type Listener = () => void;

const DELAY_MS = 500; // labels are often assigned in quick succession

/** A list of listeners that are called together. */
class Signal {
  #listeners = new Set<Listener>();

  /** Add a listener; the result removes it. */
  on(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  emit(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/**
 * The data on the page may be outdated: another tab changed it, the tab was hidden, or the server was not
 * available.
 */
export const outdated = new Signal();
/** A request received no response. */
export const noResponse = new Signal();

const channel =
  'BroadcastChannel' in globalThis && 'document' in globalThis
    ? new BroadcastChannel(`coverslip ${document.baseURI}`)
    : null;
let isOutdated = false; // data changed while this tab was hidden
let timer: ReturnType<typeof setTimeout> | undefined;

/** Notify the other tabs that this tab changed data. */
export function notifyOtherTabs(): void {
  channel?.postMessage('changed');
}

function emitSoon(): void {
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (document.visibilityState === 'hidden') isOutdated = true;
    else outdated.emit();
  }, DELAY_MS);
}

channel?.addEventListener('message', emitSoon);
globalThis.document?.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden') return;
  if (isOutdated) outdated.emit();
  isOutdated = false;
});
