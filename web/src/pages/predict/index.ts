import type { Component } from 'svelte';
import PredictionPage from './PredictionPage.svelte';
import PredictPage from './PredictPage.svelte';

export const predictPages: [string, Component<any>][] = [
  ['/predict', PredictPage],
  ['/predictions/:id', PredictionPage],
];
