// Problems and their remedies as text of the pages.
import { Problem, type Remedy } from '../api/client';
import { texts } from './index';

export interface ProblemText {
  title: string;
  file: string;
  advice: string;
  remedies: readonly Remedy[];
}

export function problemText(problem: unknown): ProblemText {
  if (!(problem instanceof Problem)) return { title: String(problem), file: '', advice: '', remedies: [] };
  if (problem.status === 0) return { ...texts.general.silent, file: '', remedies: [] };
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

/** A sentence; empty if the page has a button for the remedy, or if the app cannot apply it. */
export function remedyText(remedy: Remedy, nameOf: NameOf): string {
  const words = texts.remedies;
  switch (remedy.kind) {
    case 'set': {
      const { title, value } = nameOf(remedy.key, remedy.value);
      return words.set(title, value);
    }
    case 'join-groups':
      return words.joinInApp;
    case 'allow-leakage':
      return words.allowLeakage;
    case 'group-by':
      return remedy.column ? words.groupByColumnInApp(remedy.column) : words.group;
    case 'import-weights':
      return words.importWeights;
    case 'clean-cache':
      return words.cleanCache;
    case 'choose-other':
      return remedy.of === 'root' ? words.chooseRoot : '';
    default:
      return '';
  }
}
