// Problems and their remedies as text of the pages.
import { Problem, type Remedy } from '../api/client';
import { general } from './general';
import { train } from './train';

export interface ProblemText {
  title: string;
  file: string;
  advice: string;
  remedies: readonly Remedy[];
}

export function problemText(problem: unknown): ProblemText {
  if (!(problem instanceof Problem)) return { title: String(problem), file: '', advice: '', remedies: [] };
  if (problem.status === 0) return { ...general.silent, file: '', remedies: [] };
  const { title, file, advice, remedies } = problem;
  return { title, file, advice, remedies };
}

/** The whole problem in one line, with the faults of the fields of a request. */
export function problemLine(problem: unknown): string {
  const { title, file, advice } = problemText(problem);
  const faults = problem instanceof Problem ? problem.errors.map(({ message }) => message) : [];
  return [title, file, ...faults, advice].filter(Boolean).join(' ');
}

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
