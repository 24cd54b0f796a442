// Addresses of pages. The code of a page is loaded when the page is opened. To add a page, write it in `features/`, add
// its address here, and visit it in `tests/test_app_browser.py`.
import { LazyPage } from './state/lazy_page.svelte';
import { matchRoute } from './state/route_pattern';

const help = new LazyPage(() => import('./features/help/HelpPage.svelte'));

const pages: [string, LazyPage][] = [
  ['/', new LazyPage(() => import('./features/start/Start.svelte'))],
  ['/datasets', new LazyPage(() => import('./features/datasets/List.svelte'))],
  ['/datasets/:id', new LazyPage(() => import('./features/datasets/DatasetPage.svelte'))],
  [
    '/datasets/:id/second-reading',
    new LazyPage(() => import('./features/datasets/readings/SecondReadingPage.svelte')),
  ],
  ['/train', new LazyPage(() => import('./features/train/TrainPage.svelte'))],
  ['/runs', new LazyPage(() => import('./features/runs/RunsPage.svelte'))],
  ['/runs/:id', new LazyPage(() => import('./features/runs/RunPage.svelte'))],
  ['/runs/:id/fields', new LazyPage(() => import('./features/runs/fields/RunFields.svelte'))],
  ['/evaluations/:id/fields', new LazyPage(() => import('./features/runs/fields/EvaluationFields.svelte'))],
  ['/evaluations/:id', new LazyPage(() => import('./features/runs/evaluations/EvaluationPage.svelte'))],
  ['/compare', new LazyPage(() => import('./features/runs/compare/ComparePage.svelte'))],
  ['/studies', new LazyPage(() => import('./features/studies/StudiesPage.svelte'))],
  ['/studies/new', new LazyPage(() => import('./features/studies/NewStudyPage.svelte'))],
  ['/studies/:id', new LazyPage(() => import('./features/studies/StudyPage.svelte'))],
  ['/predict', new LazyPage(() => import('./features/predictions/new/PredictPage.svelte'))],
  ['/classifiers/:id', new LazyPage(() => import('./features/predictions/classifier/ClassifierPage.svelte'))],
  ['/predictions/:id', new LazyPage(() => import('./features/predictions/PredictionPage.svelte'))],
  [
    '/predictions/:id/samples',
    new LazyPage(() => import('./features/predictions/samples/SamplesPage.svelte')),
  ],
  [
    '/predictions/:id/spot-check',
    new LazyPage(() => import('./features/predictions/spot-check/SpotCheckPage.svelte')),
  ],
  ['/predictions/:id/fields', new LazyPage(() => import('./features/predictions/fields/FieldsPage.svelte'))],
  ['/help', help],
  ['/help/:page', help],
];

/** The page of a path and the parameters in its address; null if the path belongs to no page. */
export function pageOf(path: string): { page: LazyPage; parameters: Record<string, string> } | null {
  for (const [pattern, page] of pages) {
    const parameters = matchRoute(pattern, path);
    if (parameters) return { page, parameters };
  }
  return null;
}
