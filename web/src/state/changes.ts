// Undo and redo of changes of labels, exclusions, corrections, decisions and added images.
import { requestStep, type ChangeStep } from '../api/changes';
import { texts } from '../texts';
import { notices, type Notice } from './notices.svelte';

/** Undo or redo a change, and `show` what changed and what stays because it was changed again since. */
export async function stepChange(
  id: number,
  by: 'undo' | 'redo' = 'undo',
  show: (text: string) => unknown = (text) => notices.show(text),
): Promise<ChangeStep> {
  const step = await requestStep(id, by);
  show(texts.general[by === 'undo' ? 'undone' : 'redone'](step.n, step.n_left));
  return step;
}

/** The button of a notice that undoes a change; none if nothing was changed. */
export function undoButton(id: number | null, onundone: (step: ChangeStep) => unknown): Notice['action'] {
  if (id === null) return undefined;
  const run = () => void notices.attempt(async () => onundone(await stepChange(id)));
  return { title: texts.general.undo, run, isOfPage: true };
}
