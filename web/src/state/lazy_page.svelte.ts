// A page whose code is loaded when the page is first opened.
import type { Component } from 'svelte';

// `any`, because each page has the parameters of its address.
type PageComponent = Component<any>;

export class LazyPage {
  component = $state.raw<PageComponent | null>(null); // null until it is loaded
  isFailed = $state(false); // until the user reloads: some browsers do not request a failed module again

  constructor(private readonly importPage: () => Promise<{ default: PageComponent }>) {}

  /** Load the code; null if it is loaded, or cannot be loaded. */
  load(): Promise<void> | null {
    if (this.component || this.isFailed) return null;
    return this.importPage().then(
      (module) => void (this.component = module.default),
      () => void (this.isFailed = true),
    );
  }
}
