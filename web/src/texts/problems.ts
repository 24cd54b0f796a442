// A problem in the words of the pages.
import { Problem, type Remedy } from '../api/client';
import { general } from './general';

export interface ProblemWords {
  title: string;
  file: string;
  advice: string;
  remedies: readonly Remedy[];
}

export function wordsOf(problem: unknown): ProblemWords {
  if (!(problem instanceof Problem)) return { title: String(problem), file: '', advice: '', remedies: [] };
  if (problem.status === 0) return { ...general.silent, file: '', remedies: [] };
  const { title, file, advice, remedies } = problem;
  return { title, file, advice, remedies };
}

/** All of it in one line, with what is wrong with each part of a request. */
export function sentenceOf(problem: unknown): string {
  const { title, file, advice } = wordsOf(problem);
  const faults = problem instanceof Problem ? problem.errors.map(({ message }) => message) : [];
  return [title, file, ...faults, advice].filter(Boolean).join(' ');
}
