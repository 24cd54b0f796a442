import type { Component } from 'svelte';
import { predictPages } from '../predict';
import { trainPages } from '../train';
import ComparePage from './ComparePage.svelte';
import RunPage from './RunPage.svelte';
import RunsPage from './RunsPage.svelte';

export const runPages: [string, Component<any>][] = [
  ['/runs', RunsPage],
  ['/runs/:id', RunPage],
  ['/compare', ComparePage],
  ...trainPages,
  ...predictPages,
];
