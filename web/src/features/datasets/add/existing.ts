// Folders that were opened before: one folder is one dataset, whose labels can be gone on with.
import type { Dataset, NewSource } from '../../../api/datasets';

const N_RECENT = 5;
const CHECK_MS = 3000;
const INTERNAL_KINDS: readonly Dataset['kind'][] = ['upload', 'samples']; // not from folders that the user chose

/** The newest dataset of just these folders and tables. */
export function datasetOf(datasets: readonly Dataset[], sources: readonly NewSource[]): Dataset | undefined {
  const paths = (of: readonly { path: string }[]) => JSON.stringify(of.map(({ path }) => path).sort());
  return datasets.find(
    (dataset) => !INTERNAL_KINDS.includes(dataset.kind) && paths(dataset.sources) === paths(sources),
  );
}

/** Folders of datasets, those opened last first; of a table the folder that it lies in. */
export function recentFolders(datasets: readonly Dataset[]): string[] {
  const userDatasets = datasets.filter(({ kind }) => !INTERNAL_KINDS.includes(kind));
  const sources = userDatasets.flatMap(({ sources }) => sources.filter(({ is_made }) => !is_made));
  return [...new Set(sources.map(({ path }) => folderOf(path)))].slice(0, N_RECENT);
}

function folderOf(path: string): string {
  return /\.(csv|tsv)$/i.test(path) ? path.replace(/[\\/][^\\/]*$/, '') : path;
}

/** After how many ms to look again whether a folder that is not there has come back; null where all are there. */
export function missingMs(sources: readonly { is_missing: boolean }[]): number | null {
  return sources.some(({ is_missing }) => is_missing) ? CHECK_MS : null;
}

/** The missing ones, as a key: components that show pictures are recreated when it changes. */
export function missingPaths(sources: readonly { path: string; is_missing: boolean }[]): string {
  return sources.flatMap(({ path, is_missing }) => (is_missing ? [path] : [])).join('\n');
}
