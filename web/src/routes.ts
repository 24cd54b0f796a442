// Addresses of pages.
import type { Component } from 'svelte';
import DatasetPage from './features/datasets/DatasetPage.svelte';
import DatasetList from './features/datasets/List.svelte';
import PredictionPage from './features/predictions/PredictionPage.svelte';
import PredictPage from './features/predictions/new/PredictPage.svelte';
import HelpPage from './features/help/HelpPage.svelte';
import ComparePage from './features/runs/compare/ComparePage.svelte';
import EvaluationPage from './features/runs/evaluations/EvaluationPage.svelte';
import RunPage from './features/runs/RunPage.svelte';
import RunsPage from './features/runs/RunsPage.svelte';
import NewStudyPage from './features/studies/NewStudyPage.svelte';
import StudiesPage from './features/studies/StudiesPage.svelte';
import StudyPage from './features/studies/StudyPage.svelte';
import Start from './features/start/Start.svelte';
import TrainPage from './features/train/TrainPage.svelte';

// `any`, because each page has the parameters of its address.
export const pages: [string, Component<any>][] = [
  ['/', Start],
  ['/datasets', DatasetList],
  ['/datasets/:id', DatasetPage],
  ['/train', TrainPage],
  ['/runs', RunsPage],
  ['/runs/:id', RunPage],
  ['/evaluations/:id', EvaluationPage],
  ['/compare', ComparePage],
  ['/studies', StudiesPage],
  ['/studies/new', NewStudyPage],
  ['/studies/:id', StudyPage],
  ['/predict', PredictPage],
  ['/predictions/:id', PredictionPage],
  ['/help', HelpPage],
  ['/help/:page', HelpPage],
];
