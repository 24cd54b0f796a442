// Edits of a dataset that depend on what is saved. If they started from the last response that the page got, they would
// revert edits that are on their way, and those of other people.
import { changeDataset, readDataset, type Dataset, type DatasetChanges } from '../../api/datasets';
import { saving } from '../../state/queue';

const enqueue = saving();

/** Save an edit after earlier ones. It is applied to the dataset that is saved then. */
export const editDataset = (id: string, edit: (saved: Dataset) => DatasetChanges): Promise<Dataset> =>
  enqueue(async () => changeDataset(id, edit(await readDataset(id))));
