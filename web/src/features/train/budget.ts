// Time limit and expected time of a training. A time limit is null (no limit), a word such as `quick`, or minutes
// such as `20m`.
import type { TimePreview } from '../../api/datasets';
import { duration } from '../../texts/numbers';
import type { Texts } from '../../texts/en';

export const MAX_MINUTES = 10000;

/** A time limit in minutes; null if the number is not entered yet. */
export function inMinutes(minutes: number | null): string {
  return `${minutes ?? ''}m`;
}

export function isInMinutes(budget: string | null): boolean {
  return budget !== null && budget.endsWith('m');
}

const WORDS: Readonly<Record<number, string>> = { 120: 'quick', 600: 'balanced', 3600: 'best' };

/** The time limit for a number of seconds. */
export function budgetOf(seconds: number | null): string | null {
  return seconds === null ? null : (WORDS[seconds] ?? inMinutes(Math.max(1, Math.round(seconds / 60))));
}

/** Title of a time limit. */
export function titleOfBudget(budget: string, words: Texts['train']['budget']): string {
  const minutes = minutesOf(budget);
  if (minutes !== null) return words.nMinutes(minutes);
  return words.choices.find(({ value }) => value === (isInMinutes(budget) ? 'own' : budget))?.title ?? budget;
}

/** The minutes of a time limit; null if they are not entered yet, or if the limit is not in minutes. */
export function minutesOf(budget: string | null): number | null {
  const text = isInMinutes(budget) ? budget!.slice(0, -1) : '';
  return text === '' ? null : Number(text);
}

/** Whether a time limit is complete and within the range. */
export function isComplete(budget: string | null): boolean {
  if (!isInMinutes(budget)) return true;
  const minutes = minutesOf(budget);
  return minutes !== null && minutes >= 1 && minutes <= MAX_MINUTES;
}

/** Empty without an estimate or with a time limit. */
export function expectedTime(
  time: TimePreview | null,
  budget: string | null,
  words: Texts['train']['time'],
): string {
  if (!time || budget) return '';
  const parts = [
    time.seconds === null ? words.unknown : words.about(duration(roughly(time.seconds)), time.basis ?? ''),
  ];
  if (time.n_trainings > 1) parts.push(words.trainings(time.n_trainings));
  if (time.has_pretraining) parts.push(words.pretraining);
  return parts.join(' ');
}

/** Round to the precision of an estimate. */
function roughly(seconds: number): number {
  const step = seconds < 55 ? 5 : seconds < 3600 ? 60 : 600;
  return Math.max(step, Math.round(seconds / step) * step);
}
