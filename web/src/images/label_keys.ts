// Keys for labeling in the gallery and in the viewer.
import { classOfKey } from './classes';

export type LabelAct =
  | { act: 'give'; classIndex: number | null } // null removes the label
  | { act: 'undo' | 'redo' | 'help' | 'confirm' };

/** The action of a key with `nClasses` classes; null if the key has none. */
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
