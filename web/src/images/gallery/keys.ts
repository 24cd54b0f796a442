// The keys of galleries and viewers.
import type { Exclusion } from '../../api/predictions';
import { access } from '../../state/access.svelte';
import { classOfKey } from '../classes';

export type Act =
  | { act: 'assign'; classIndex: number | null } // null removes the label or the correction
  | { act: 'exclude'; reason: Exclusion }
  | { act: 'undo' | 'redo' | 'help' | 'confirm' };

type Pressed = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey' | 'repeat'>;

const ONCE = ['assign', 'exclude', 'confirm']; // a key that is held down would label one image after another

/** Keys of exclusions. Letters and digits are the keys of classes. */
export const EXCLUSION_KEYS: Record<Exclusion, string> = { 'none-of-these': ',', unusable: '.' };

/** The action of a key with `nClasses` classes; null if the key has none, or the user may not do this. */
export function actionOf(event: Pressed, nClasses: number): Act | null {
  const action = anyActionOf(event, nClasses);
  if (action && event.repeat && ONCE.includes(action.act)) return null;
  return access.canLabel || action?.act === 'help' ? action : null;
}

function anyActionOf(event: Pressed, nClasses: number): Act | null {
  if (event.ctrlKey || event.metaKey) {
    const letter = event.key.toLowerCase();
    if (letter === 'z') return { act: event.shiftKey ? 'redo' : 'undo' };
    return letter === 'y' ? { act: 'redo' } : null;
  }
  if (event.altKey) return null;
  if (event.key === '?') return { act: 'help' };
  if (event.key === ';') return { act: 'confirm' };
  if (event.key === 'Delete' || event.key === 'Backspace') return { act: 'assign', classIndex: null };
  for (const [reason, key] of Object.entries(EXCLUSION_KEYS) as [Exclusion, string][])
    if (event.key === key) return { act: 'exclude', reason };
  const classIndex = classOfKey(event.key, nClasses);
  return classIndex === null ? null : { act: 'assign', classIndex };
}
