// Addresses of pages. The code of a page is loaded when the page is opened. To add a page, write it in `features/`, add
// its address here, and visit it in `tests/test_app_browser.py`.
import { LazyPage } from './state/lazy_page.svelte';
import { matchRoute } from './state/route_pattern';
import { withTexts } from './texts';

type Pages = ConstructorParameters<typeof LazyPage>[0];
type Parts = Parameters<typeof withTexts>[0];

/** A page with the texts that its code uses, besides those of all pages. */
const page = (parts: Parts, importPage: Pages) => new LazyPage(() => withTexts(parts, importPage));

const help = page([], () => import('./features/help/HelpPage.svelte'));
const drawn = page(
  ['counts', 'datasets', 'predict', 'runs'],
  () => import('./features/draws/DrawPage.svelte'),
);
const fields = page(
  ['counts', 'datasets', 'fields', 'predict', 'runs'],
  () => import('./features/predictions/fields/FieldsPage.svelte'),
);

const pages: [string, LazyPage][] = [
  ['/', page(['counts', 'datasets'], () => import('./features/start/Start.svelte'))],
  ['/datasets', page(['counts', 'datasets'], () => import('./features/datasets/List.svelte'))],
  [
    '/datasets/:id',
    page(
      ['counts', 'datasets', 'fields', 'predict', 'runs'],
      () => import('./features/datasets/DatasetPage.svelte'),
    ),
  ],
  ['/datasets/:dataset/second-reading', drawn],
  [
    '/datasets/:id/objects',
    page(
      ['datasets', 'fields', 'predict'],
      () => import('./features/datasets/objects/FindObjectsPage.svelte'),
    ),
  ],
  ['/train', page(['datasets', 'runs', 'train'], () => import('./features/train/TrainPage.svelte'))],
  ['/runs', page(['runs'], () => import('./features/runs/RunsPage.svelte'))],
  [
    '/runs/:id',
    page(['counts', 'datasets', 'fields', 'predict', 'runs'], () => import('./features/runs/RunPage.svelte')),
  ],
  ['/runs/:id/fields', fields],
  ['/evaluations/:id/fields', fields],
  [
    '/evaluations/:id',
    page(
      ['counts', 'datasets', 'fields', 'predict', 'runs'],
      () => import('./features/runs/evaluations/EvaluationPage.svelte'),
    ),
  ],
  ['/compare', page(['runs'], () => import('./features/runs/compare/ComparePage.svelte'))],
  ['/studies', page(['runs', 'studies'], () => import('./features/studies/StudiesPage.svelte'))],
  [
    '/studies/new',
    page(['datasets', 'studies', 'train'], () => import('./features/studies/NewStudyPage.svelte')),
  ],
  ['/studies/:id', page(['runs', 'studies'], () => import('./features/studies/StudyPage.svelte'))],
  [
    '/predict',
    page(['datasets', 'predict', 'runs'], () => import('./features/predictions/new/PredictPage.svelte')),
  ],
  [
    '/classifiers/:id',
    page(['predict', 'runs'], () => import('./features/predictions/classifier/ClassifierPage.svelte')),
  ],
  [
    '/predictions/:id',
    page(
      ['counts', 'datasets', 'fields', 'predict', 'runs'],
      () => import('./features/predictions/PredictionPage.svelte'),
    ),
  ],
  [
    '/predictions/:id/samples',
    page(['predict', 'runs'], () => import('./features/predictions/samples/SamplesPage.svelte')),
  ],
  ['/predictions/:prediction/spot-check', drawn],
  ['/predictions/:id/fields', fields],
  ['/help', help],
  ['/help/:page', help],
];

/** What to do with files that are dropped on any page. */
export const dropDialog = page(['datasets', 'predict'], () => import('./features/drop/DropDialog.svelte'));

/** The page of a path and the parameters in its address; null if the path belongs to no page. */
export function pageOf(path: string): { page: LazyPage; parameters: Record<string, string> } | null {
  for (const [pattern, page] of pages) {
    const parameters = matchRoute(pattern, path);
    if (parameters) return { page, parameters };
  }
  return null;
}
