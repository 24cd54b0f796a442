// A problem as text of the pages.
import { Problem, type Remedy } from '../api/client';
import { general } from './general';

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
