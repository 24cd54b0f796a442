// What can be done with dropped files, the likely answer first. It depends on the files and on the page.
import type { NamedFiles } from '../../state/drops.svelte';
import type { Texts } from '../../texts/en';
import { matchRoute } from '../../state/route_pattern';

export type Kind = 'classifier' | 'table' | 'image' | 'images';
export type Answer = keyof Texts['general']['drop']['answers'];

const TABLE = /\.(csv|tsv|tab|txt)$/i;
const ARCHIVE = /\.zip$/i;

/** What the files are together; null if there are none. */
export function kindOf({ files }: NamedFiles): Kind | null {
  if (!files.length) return null;
  if (files.every(({ name }) => name.endsWith('.coverslip'))) return 'classifier';
  if (files.every(({ name }) => TABLE.test(name))) return 'table';
  return files.length === 1 && !ARCHIVE.test(files[0]!.name) ? 'image' : 'images';
}

/** Whether folders or a table may label the images. The content of a zip file is not known yet. */
function mayHaveLabels({ files }: NamedFiles): boolean {
  const folders = files.map(({ name }) => name.slice(0, name.lastIndexOf('/') + 1));
  return new Set(folders).size > 1 || files.some(({ name }) => ARCHIVE.test(name) || TABLE.test(name));
}

/** What the address of a page names. */
export interface PageItems {
  run: string | null; // a training
  classifier: string | null;
  prediction: string | null;
  dataset: string | null;
}

export function itemsOf(path: string, query: URLSearchParams): PageItems {
  const [, first = '', id = ''] = path.split('/');
  const named = (pattern: string) => matchRoute(`/${pattern}/:id`, `/${first}/${id}`)?.id ?? null;
  const run = named('runs');
  return {
    run,
    classifier: run ?? named('classifiers') ?? (first === 'predict' ? query.get('classifier') : null),
    prediction: named('predictions'),
    dataset: named('datasets'),
  };
}

interface Circumstances {
  hasClassifiers: boolean; // that can predict
  hasClassifierOfObjects: boolean; // the selected one: predictions of files find the objects of fields
  canEdit: boolean; // the user
  isOfObjects: boolean; // the dataset of the page: whole images are not added to objects of fields
}

/** What the user can do with the files, the likely answer first. */
export function answersFor(
  files: NamedFiles,
  page: PageItems,
  { hasClassifiers, hasClassifierOfObjects, canEdit, isOfObjects }: Circumstances,
): Answer[] {
  const kind = kindOf(files);
  if (kind === null) return [];
  if (!canEdit) return kind === 'image' && hasClassifiers ? ['show'] : [];
  if (kind === 'classifier') return ['import'];
  if (kind === 'table') {
    const isOne = files.files.length === 1; // others would be ignored
    return page.prediction && isOne ? ['conditions', 'find-table'] : ['find-table'];
  }
  const isLabeled = mayHaveLabels(files);
  const isShown = kind === 'image' && !hasClassifierOfObjects;
  const predict: Answer[] = !hasClassifiers ? [] : isShown ? ['show', 'predict'] : ['predict'];
  const open: Answer[] = [...(isLabeled ? (['labeled'] as const) : []), 'unlabeled', 'find'];
  if (page.classifier || page.prediction)
    return [...predict, ...(page.run && isLabeled ? (['evaluate'] as const) : []), ...open];
  if (page.dataset) return [...new Set<Answer>([isOfObjects ? 'find' : 'add', ...predict, ...open])];
  return kind === 'image' ? [...predict, ...open] : [...open, ...predict];
}
