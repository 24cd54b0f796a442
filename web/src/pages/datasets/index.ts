import type { Component } from 'svelte';
import Start from '../start/Start.svelte';
import DatasetPage from './DatasetPage.svelte';
import List from './List.svelte';

export const datasetPages: [string, Component<any>][] = [
  ['/', Start],
  ['/datasets', List],
  ['/datasets/:id', DatasetPage],
];
