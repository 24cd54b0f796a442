// A problem in the words of the pages.
import { Problem } from '../api/client';
import { general } from './general';

export interface ProblemWords {
  title: string;
  file: string;
  advice: string;
}

export function wordsOf(problem: unknown): ProblemWords {
  if (!(problem instanceof Problem)) return { title: String(problem), file: '', advice: '' };
  if (problem.status === 0) return { ...general.silent, file: '' };
  const { title, file, advice } = problem;
  return { title, file, advice };
}
