// Names of datasets in lists: those with equal names get their folders, else their times and numbers, in brackets.
import type { Dataset } from '../../api/datasets';
import { moment } from '../../texts/numbers';

type Named = Pick<Dataset, 'id' | 'name' | 'kind' | 'sources' | 'created'>;

/** The names to show, by dataset. */
export function namesOf(datasets: readonly Named[]): ReadonlyMap<string, string> {
  const names = new Map(datasets.map(({ id, name }) => [id, name]));
  for (const shared of new Set(names.values())) {
    const equal = datasets.filter(({ name }) => name === shared);
    if (equal.length === 1) continue;
    const folders = distinctEnds(equal.map(folderOf));
    const marks = equal.map(({ created }, k) => (isUnique(folders, k) && folders[k]) || moment(created));
    equal.forEach(({ id }, k) => {
      const mark = isUnique(marks, k) ? marks[k] : `${marks[k]}, ${equal.length - k}`; // the oldest is number 1
      names.set(id, `${shared} (${mark})`);
    });
  }
  return names;
}

const isUnique = (values: readonly string[], k: number) =>
  values.every((value, other) => other === k || value !== values[k]);

/** The folders above the first source and, if it has another name than the dataset, itself; none of uploads. */
function folderOf({ name, kind, sources }: Named): string[] {
  const path = kind === 'upload' || kind === 'samples' ? '' : (sources[0]?.path ?? '');
  const folders = path.split(/[\\/]/).filter(Boolean);
  return folders.at(-1) === name ? folders.slice(0, -1) : folders;
}

/** The shortest ends that distinguish paths, without the end that all have in common. */
function distinctEnds(paths: readonly string[][]): string[] {
  let common = 0;
  const last = (path: readonly string[], k: number) => path[path.length - 1 - k];
  const [first = []] = paths;
  while (common < first.length && paths.every((path) => last(path, common) === last(first, common)))
    common += 1;
  const heads = paths.map((path) => path.slice(0, path.length - common));
  const n = new Set(heads.map((head) => head.join('/'))).size;
  for (let length = 1; ; length += 1) {
    const ends = heads.map((head) => head.slice(-length).join('/'));
    if (new Set(ends).size === n) return ends;
  }
}
