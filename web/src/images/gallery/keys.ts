// The keys of galleries and viewers.
import type { Exclusion } from '../../api/predictions';
import { access } from '../../state/access.svelte';
import type { ClassKeys } from '../classes';

export type Act =
  | { act: 'assign'; label: string | null } // null removes the label or the correction
  | { act: 'exclude'; reason: Exclusion }
  | { act: 'refuse'; label: string } // a class that cannot be assigned here
  | { act: 'undo' | 'redo' | 'help' | 'confirm' };

type Pressed = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey' | 'repeat'>;

const ONCE = ['assign', 'exclude', 'refuse', 'confirm']; // a key that is held down would label one image after another

/** Keys of exclusions. Letters and digits are the keys of classes. */
export const EXCLUSION_KEYS: Record<Exclusion, string> = { 'none-of-these': ',', unusable: '.' };

/** The action of a key; null if it has none, or the user may not do this. `labels`: the classes that can be assigned. */
export function actionOf(event: Pressed, keys: ClassKeys, labels: readonly string[]): Act | null {
  const action = anyActionOf(event, keys, labels);
  if (action && event.repeat && ONCE.includes(action.act)) return null;
  return access.canLabel || action?.act === 'help' ? action : null;
}

function anyActionOf(event: Pressed, keys: ClassKeys, labels: readonly string[]): Act | null {
  if (event.ctrlKey || event.metaKey) {
    const letter = event.key.toLowerCase();
    if (letter === 'z') return { act: event.shiftKey ? 'redo' : 'undo' };
    return letter === 'y' ? { act: 'redo' } : null;
  }
  if (event.altKey) return null;
  if (event.key === '?') return { act: 'help' };
  if (event.key === ';') return { act: 'confirm' };
  if (event.key === 'Delete' || event.key === 'Backspace') return { act: 'assign', label: null };
  for (const [reason, key] of Object.entries(EXCLUSION_KEYS) as [Exclusion, string][])
    if (event.key === key) return { act: 'exclude', reason };
  const label = keys.classOf(event.key);
  return label === null ? null : { act: labels.includes(label) ? 'assign' : 'refuse', label };
}
