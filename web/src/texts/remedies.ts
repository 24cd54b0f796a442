// What can be done about a message, in the words of the pages.
import type { Remedy } from '../api/client';

/** A key of the recipe and its value, as they are called on the pages. */
export type NameOf = (key: string, value: unknown) => { title: string; value: string };

export const remedies = {
  use: (title: string, value: string) => `Use “${title}: ${value}”`,
  trainAnyway: 'Train anyway',
};

/** In a sentence; empty where the page offers the way itself, or there is none in the app. */
export function inWords(remedy: Remedy, nameOf: NameOf): string {
  switch (remedy.kind) {
    case 'set': {
      const { title, value } = nameOf(remedy.key, remedy.value);
      return `When you train: “${title}: ${value}”.`;
    }
    case 'allow-leakage':
      return 'When you train, you can tick “Train although the split splits groups or duplicates”.';
    case 'group-by':
      return remedy.column
        ? `Under “Classes & groups” you can choose the column “${remedy.column}”.`
        : 'Under “Classes & groups” you can say which images belong together.';
    case 'import-weights':
      return 'The page on weights of the documentation says how to import a file.';
    case 'clean-cache':
      return 'The documentation says how to empty the cache.';
    case 'choose-other':
      return remedy.of === 'root' ? 'The documentation of the app says how to open other folders to it.' : '';
    default:
      return '';
  }
}
