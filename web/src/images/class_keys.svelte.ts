// The keys of the classes of a result or a prediction.
import { readDataset } from '../api/datasets';
import { Problem } from '../api/client';
import { datasetTopic } from '../api/events';
import { resource } from '../state/resource.svelte';
import { ClassKeys, provideClassKeys } from './classes';

/**
 * Provide the keys of a job's `classes`: those of the dataset with this ID, or of the classes alone if it was removed or
 * the ID is null. Until this is known (`undefined`: the job is not loaded), no class has a key.
 */
export function provideKeysOfJob(
  datasetId: () => string | null | undefined,
  classes: () => readonly string[],
): () => ClassKeys {
  const read = resource(
    async (signal) => {
      const id = datasetId();
      if (id === undefined) return null;
      return { dataset: id === null ? null : await readDataset(id, signal).catch(nullIfRemoved) };
    },
    { key: () => datasetId() ?? null, topics: () => [datasetTopic(datasetId() ?? '')] },
  );
  const keys = $derived(read.value ? new ClassKeys(read.value.dataset, classes()) : new ClassKeys(null));
  provideClassKeys(() => keys);
  return () => keys;
}

function nullIfRemoved(problem: unknown): null {
  if (problem instanceof Problem && problem.status === 404) return null;
  throw problem;
}
