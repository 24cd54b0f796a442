// What a page can do about a message by itself: where it offers that, a remedy is a button, elsewhere it is words.
import { getContext, hasContext, setContext } from 'svelte';

export interface Acts {
  /** Give a key of the recipe this value. */
  set?: (key: string, value: unknown) => void;
  /** Train although the split splits groups or duplicates. */
  allowLeakage?: () => void;
}

const ACTS = Symbol('what remedies may do');

/** Called while a page is made: holds for all that stands in it. */
export function provideActions(acts: Acts): void {
  setContext(ACTS, acts);
}

export function availableActions(): Acts {
  return hasContext(ACTS) ? getContext<Acts>(ACTS) : {};
}
