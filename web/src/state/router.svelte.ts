// Router: path and query of the address. Links are plain `<a href>`, relative to the base address of the app
// (`<base>` in index.html), which may be a folder of the server.
import { tick } from 'svelte';
import { notices } from './notices.svelte';

const base = new URL(document.baseURI).pathname; // ends in a slash

/** The path of the current address within the app, with a slash at its start. */
const currentPath = () => `/${window.location.pathname.slice(base.length)}`;

class Router {
  path = $state(currentPath());
  query = $state.raw(new URLSearchParams(window.location.search));
  isLoading = $state(false); // the current page stays until the code of the next page is loaded
  /** Load the code of the page of a path; null if it is loaded. The promise must not fail. Set by the app. */
  load: (path: string) => Promise<void> | null = () => null;
  #nMoves = 0; // a later move replaces an earlier one whose page is still loading

  constructor() {
    window.addEventListener('popstate', () => this.#move(currentPath(), () => this.#read()));
    document.addEventListener('click', (event) => this.#onClick(event));
  }

  /** The address of the current page, without its query. */
  get page(): string {
    return this.path.slice(1);
  }

  /** Go to an address of the app, for example `runs/1`. `replace` adds no step to the browser history. */
  go(address: string, { replace = false } = {}): void {
    const { pathname } = new URL(address, document.baseURI);
    this.#move(`/${pathname.slice(base.length)}`, () => {
      if (replace) history.replaceState(null, '', address);
      else history.pushState(null, '', address);
      const before = this.path;
      this.#read();
      if (!replace) window.scrollTo(0, 0);
      // The focused link was removed. Screen readers announce the new page only if it gets the focus.
      if (this.path !== before)
        void tick().then(() => document.getElementById('main')?.focus({ preventScroll: true }));
    });
  }

  /** Show the page of a path: at once if its code is loaded. */
  #move(path: string, show: () => void): void {
    const move = ++this.#nMoves;
    const loading = this.load(path);
    this.isLoading = loading !== null;
    if (!loading) return show();
    void loading.then(() => {
      if (move !== this.#nMoves) return;
      this.isLoading = false;
      show();
    });
  }

  /** Change parameters of the query; null removes a parameter. */
  set(changes: Record<string, string | null>, { replace = true } = {}): void {
    if (this.isLoading) return; // the address may already be that of the next page
    const query = new URLSearchParams(this.query);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === '') query.delete(name);
      else query.set(name, value);
    }
    const text = query.toString();
    const address = window.location.pathname + (text ? `?${text}` : '');
    if (replace) history.replaceState(history.state, '', address);
    else history.pushState(null, '', address);
    this.#read();
  }

  /** State of a page in this step of the browser history, which the back button and a reload restore. */
  get pageState(): unknown {
    return history.state;
  }

  setPageState(value: unknown): void {
    if (!this.isLoading) history.replaceState(value, '');
  }

  #read(): void {
    if (this.path !== currentPath()) notices.leavePage();
    this.path = currentPath();
    this.query = new URLSearchParams(window.location.search);
  }

  /** Change the page without a reload after a click on a link of the app. */
  #onClick(event: MouseEvent): void {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || link.target || link.hasAttribute('download') || link.origin !== window.location.origin)
      return;
    const within = link.getAttribute('href') ?? '';
    if (within.startsWith('#')) {
      event.preventDefault();
      const { state } = history;
      // The browser would add it to the base address. Replaced, the entry keeps its state, and the link works again.
      window.location.replace(window.location.pathname + window.location.search + within);
      history.replaceState(state, '');
      return;
    }
    if (!link.pathname.startsWith(base) || link.pathname.startsWith(`${base}api/`)) return;
    if (link.pathname === window.location.pathname && link.hash) return;
    event.preventDefault();
    this.go(link.pathname + link.search + link.hash);
  }
}

export const router = new Router();
