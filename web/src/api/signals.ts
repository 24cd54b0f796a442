// What pages may want to know of besides answers: that something was changed elsewhere, and that the server is silent.

type Listener = () => void;

const REST_MS = 500; // labels are given one after the other

/** Listeners and a way to call them all. */
class Signal {
  #listeners = new Set<Listener>();

  /** Gives what ends it. */
  on(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** What is shown may be old: it was changed in another tab, or nobody looked at this one, or the server was away. */
export const outdated = new Signal();
/** A request brought no answer at all. */
export const silent = new Signal();

const others =
  'BroadcastChannel' in globalThis && 'document' in globalThis ? new BroadcastChannel('coverslip') : null;
let isDue = false; // something was changed while nobody looked
let resting: ReturnType<typeof setTimeout> | undefined;

/** Tell the other tabs that something was changed here. */
export function notifyOtherTabs(): void {
  others?.postMessage('changed');
}

function soon(): void {
  clearTimeout(resting);
  resting = setTimeout(() => {
    if (document.visibilityState === 'hidden') isDue = true;
    else outdated.tell();
  }, REST_MS);
}

others?.addEventListener('message', soon);
globalThis.document?.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden') return;
  if (isDue) outdated.tell();
  isDue = false;
});
