// What a key does while images are labeled, in the gallery as in the viewer.
import { classOfKey } from './classes';

export type LabelAct =
  | { act: 'give'; classIndex: number | null } // null takes the class away
  | { act: 'undo' | 'redo' | 'help' | 'confirm' };

/** What a key press asks for among `nClasses` classes; null: nothing. */
export function actionOf(
  event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey'>,
  nClasses: number,
): LabelAct | null {
  if (event.ctrlKey || event.metaKey) {
    const letter = event.key.toLowerCase();
    if (letter === 'z') return { act: event.shiftKey ? 'redo' : 'undo' };
    return letter === 'y' ? { act: 'redo' } : null;
  }
  if (event.altKey) return null;
  if (event.key === '?') return { act: 'help' };
  if (event.key === ';') return { act: 'confirm' };
  if (event.key === 'Delete' || event.key === 'Backspace') return { act: 'give', classIndex: null };
  const classIndex = classOfKey(event.key, nClasses);
  return classIndex === null ? null : { act: 'give', classIndex };
}
