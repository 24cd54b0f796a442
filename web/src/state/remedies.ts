// Actions that a page offers for remedies. With an action, a remedy is a button, otherwise a sentence.
import type { PixelChoice } from '../api/datasets';
import { getContext, hasContext, setContext } from 'svelte';

export interface Acts {
  /** Set a recipe key. */
  set?: (key: string, value: unknown) => void;
  /** Go to the page of a new training with a recipe key. */
  trainWith?: (key: string, value: unknown) => void;
  /** Choose the pixels of each file that are an image. */
  setPixels?: (choice: Partial<PixelChoice>) => void;
  /** Group images by a column or a pattern; without them, go to the definition of groups. */
  groupBy?: (column: string | null, pattern: string) => void;
  /** Join classes that are one class with several spellings, by the name of the joined class. */
  joinClasses?: (merge: Record<string, string[]>) => void;
  /** Join groups that are one group with several spellings, by the name of the joined group. */
  joinGroups?: (merge: Record<string, string[]>) => void;
  /** Train although the split separates groups or duplicates. */
  allowLeakage?: () => void;
}

/** The pattern of groups by which each file is a group. */
export const EACH_FILE = '.+';

const ACTS = Symbol('what remedies may do');

/** Offer actions to all components of a page. Call it while the page is created. */
export function provideActions(acts: Acts): void {
  setContext(ACTS, acts);
}

export function availableActions(): Acts {
  return hasContext(ACTS) ? getContext<Acts>(ACTS) : {};
}
