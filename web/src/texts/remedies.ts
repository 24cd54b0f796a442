// Remedies of a message as text of the pages.
import type { Remedy } from '../api/client';
import { train } from './train';

/** The names of a recipe key and its value on the pages. */
export type NameOf = (key: string, value: unknown) => { title: string; value: string };

export const remedies = {
  apply: (title: string, value: string) => `Set “${title}” to “${value}”`,
  trainAnyway: 'Train anyway',
};

/** A sentence; empty if the page has a button for the remedy, or if the app cannot apply it. */
export function remedyText(remedy: Remedy, nameOf: NameOf): string {
  switch (remedy.kind) {
    case 'set': {
      const { title, value } = nameOf(remedy.key, remedy.value);
      return `On the training page, set “${title}” to “${value}”.`;
    }
    case 'allow-leakage':
      return `On the training page, you can select “${train.leakage}”.`;
    case 'group-by':
      return remedy.column
        ? `Under “Classes & groups”, you can choose the column “${remedy.column}”.`
        : 'Under “Classes & groups”, you can define groups.';
    case 'import-weights':
      return 'The page “Pretrained weights” of the documentation describes how to import a file.';
    case 'clean-cache':
      return 'The documentation describes how to empty the cache.';
    case 'choose-other':
      return remedy.of === 'root'
        ? 'The app’s documentation describes how to allow coverslip to read other folders.'
        : '';
    default:
      return '';
  }
}
