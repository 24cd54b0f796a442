// How long a training may take, as it is asked for: null for as long as it takes, a word such as `quick`, or minutes.
import type { train } from '../../texts/train';

export const MAX_MINUTES = 10000;

/** A time of one's own; without a number it is one that is still awaited. */
export function inMinutes(minutes: number | null): string {
  return `${minutes ?? ''}m`;
}

export function isInMinutes(budget: string | null): boolean {
  return budget !== null && budget.endsWith('m');
}

const WORDS: Readonly<Record<number, string>> = { 120: 'quick', 600: 'balanced', 3600: 'best' };

/** The choice that asks for so many seconds. */
export function budgetOf(seconds: number | null): string | null {
  return seconds === null ? null : (WORDS[seconds] ?? inMinutes(Math.max(1, Math.round(seconds / 60))));
}

/** The choice in words: its title, or so many minutes. */
export function titleOfBudget(budget: string, words: (typeof train)['budget']): string {
  const minutes = minutesOf(budget);
  if (minutes !== null) return words.nMinutes(minutes);
  return words.choices.find(({ value }) => value === (isInMinutes(budget) ? 'own' : budget))?.title ?? budget;
}

/** Null where they are still awaited, and where the time is none in minutes. */
export function minutesOf(budget: string | null): number | null {
  const text = isInMinutes(budget) ? budget!.slice(0, -1) : '';
  return text === '' ? null : Number(text);
}

/** Whether it can be sent: minutes that are missing, or out of their range, cannot. */
export function isGiven(budget: string | null): boolean {
  if (!isInMinutes(budget)) return true;
  const minutes = minutesOf(budget);
  return minutes !== null && minutes >= 1 && minutes <= MAX_MINUTES;
}
