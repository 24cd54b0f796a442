// Folders that are already open as datasets, and missing folders.
import type { Dataset, Source } from '../../../api/datasets';

const N_RECENT = 5;
const INTERNAL_KINDS: readonly Dataset['kind'][] = ['upload', 'samples']; // datasets whose folders the user did not choose

/** The newest dataset with exactly these folders and tables. */
export function datasetOf(datasets: readonly Dataset[], sources: readonly Source[]): Dataset | undefined {
  const paths = (of: readonly { path: string }[]) => JSON.stringify(of.map(({ path }) => path).sort());
  return datasets.find(
    (dataset) => !INTERNAL_KINDS.includes(dataset.kind) && paths(dataset.sources) === paths(sources),
  );
}

/**
 * The last opened folders, newest first, with the name of their dataset, or their own if it has several. A table counts
 * as its folder.
 */
export function recentFolders(datasets: readonly Dataset[]): [path: string, name: string][] {
  const places = new Map<string, string>();
  for (const { kind, name, sources } of datasets)
    for (const { path, contains } of INTERNAL_KINDS.includes(kind) ? [] : sources) {
      const folder = folderOf(path);
      const own = folder.split(/[\\/]/).at(-1) || folder;
      if (!contains && !places.has(folder)) places.set(folder, sources.length > 1 ? own : name);
    }
  return [...places].slice(0, N_RECENT);
}

function folderOf(path: string): string {
  return /\.(csv|tsv)$/i.test(path) ? path.replace(/[\\/][^\\/]*$/, '') : path;
}

/** Paths of the missing folders, as a key: components with pictures are recreated when it changes. */
export function missingPaths(sources: readonly { path: string; is_missing: boolean }[]): string {
  return sources.flatMap(({ path, is_missing }) => (is_missing ? [path] : [])).join('\n');
}
