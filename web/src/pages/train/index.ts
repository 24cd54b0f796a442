import type { Component } from 'svelte';
import TrainPage from './TrainPage.svelte';

export const trainPages: [string, Component<any>][] = [['/train', TrainPage]];
