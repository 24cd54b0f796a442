// Which page belongs to which address.
import type { Component } from 'svelte';
import { datasetPages } from './datasets';
import { runPages } from './runs';

// Any: each page has the parameters of its own address.
export const pages: [string, Component<any>][] = [...datasetPages, ...runPages];
