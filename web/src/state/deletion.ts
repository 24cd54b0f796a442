// Deletion of items that can be restored.
import { remove, restore, type DeletedItem } from '../api/trash';
import { texts } from '../texts';
import { notices } from './notices.svelte';

/** Delete an item and show a notice with an undo button. The callbacks run after the deletion and after the undo. */
export async function deleteWithUndo(
  item: Pick<DeletedItem, 'kind' | 'id'>,
  message: string,
  ondeleted: () => void,
  onrestored: () => void = ondeleted,
): Promise<void> {
  await notices.attempt(async () => {
    await remove(item);
    ondeleted();
    notices.show(message, {
      title: texts.general.undo,
      run: () => void notices.attempt(() => restore(item).then(onrestored)),
      restores: item.id,
    });
  });
}
