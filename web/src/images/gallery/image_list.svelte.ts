// The images of a gallery: their order as row ids, details of visible images, selection, and the image in the
// viewer.
import { tick } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';
import type { RowList } from '../../api/client';
import { sequential } from '../../state/queue';
import type { SheetUrl } from './sheets';
import {
  advanced,
  clicked,
  emptySelection,
  firstSelected,
  isSelected,
  moved,
  nSelected,
  selectedIndices,
  type Selection,
} from './selection';

const CHUNK = 256;
const RELOAD_MS = 800; // a prediction can write hundreds of rows per second

/** Where a gallery gets its images; `Query` are its filters and order. */
export interface Source<Item extends { row_id: number }, Query> {
  /** All matching images. */
  list: (query: Query, signal?: AbortSignal) => Promise<RowList>;
  /** Details of up to 256 images. */
  read: (rows: ArrayLike<number>) => Promise<readonly Item[]>;
  sheetUrl: SheetUrl;
}

export class ImageList<Item extends { row_id: number }, Query = unknown> {
  #list = $state.raw<RowList | null>(null);
  readonly rows = $derived(this.#list?.rows ?? null); // row ids in the order of the gallery
  /** Whether the rows are those of the requested query. While others are loading, pages show no count. */
  isComplete = $state(false);
  order = $state(0); // increases when other images are requested; then the gallery starts at the top
  nShown = $state(0); // number of requests for other images so far that were answered
  problem = $state.raw<unknown>(null);
  selection = $state.raw<Selection>(emptySelection);
  viewed = $state<number | null>(null); // index of the image in the viewer
  readonly items = new SvelteMap<number, Item>(); // by row id
  readonly n = $derived(this.rows?.length ?? 0);
  readonly nSelected = $derived(nSelected(this.selection, this.n));
  /** Index of the image that keys and buttons act on first: the open image, else the first selected one. */
  readonly current = $derived(this.viewed ?? firstSelected(this.selection, this.n));
  readonly item = $derived(this.current === null ? undefined : this.at(this.current));
  /** Query of `rows`; while others are loading, it differs from the requested one. */
  matched: Query | null = null;
  /** Whether images changed since the order was loaded, so that others may match now. */
  isChanged = false;
  /** Whether the viewer opens the next image if its image leaves the list. Otherwise, it closes. */
  followsNext = false;
  /** Scroll to a cell and focus it; set by the gallery. */
  onshow: (index: number) => void = () => undefined;

  #requested: Query | null = null;
  #requestedChunks = new Set<number>(); // chunks that are loaded or loading
  #newest = new Map<number, number>(); // by chunk: the number of its last request
  #nRequests = 0;
  #sight: [number, number] = [0, -1];
  #load = new AbortController();
  #reloadTimer: ReturnType<typeof setTimeout> | undefined;
  #isStale = false; // a reload was postponed because the viewer is open
  // A response to a request from before a change may be outdated. The clock counts requests and changes.
  #clock = 0;
  #changes = new Map<number, { nWaiting: number; at: number }>(); // by row id: number of unsaved changes, and clock of the last change
  /** Changes run one after another, and new queries wait for them, because changes determine what matches. */
  readonly sequential = sequential();

  /** @param keepsOrder whether images of a query stay in their places until `show`, though others match now. */
  constructor(
    readonly source: Source<Item, Query>,
    private readonly keepsOrder: (query: Query) => boolean = () => false,
  ) {}

  /** The digest of `rows`, by which the server recognizes the list; null if it has none. */
  get digest(): string | null {
    return this.#list?.digest ?? null;
  }

  /** Show the images of a query from the start. */
  async show(query: Query): Promise<void> {
    this.#requested = query;
    this.isComplete = false;
    await this.#read(query, true);
    this.nShown += 1;
  }

  /** Reload everything, or the details only, because others may have changed it. Selection and scroll position stay. */
  async reload(): Promise<void> {
    if (this.#requested === null) return;
    if (this.rows !== null && this.matched === this.#requested && this.keepsOrder(this.#requested)) {
      this.isChanged = true; // all selected images are those that the page shows
      this.refresh();
    } else await this.#read(this.#requested, this.rows === null);
  }

  /** Reload soon, and after the viewer was closed, because images were added. */
  reloadSoon(): void {
    this.#reloadTimer ??= setTimeout(() => {
      this.#reloadTimer = undefined;
      if (this.viewed !== null) this.#isStale = true;
      else void this.reload();
    }, RELOAD_MS);
  }

  end(): void {
    clearTimeout(this.#reloadTimer);
    this.#load.abort();
  }

  at(index: number): Item | undefined {
    const row = this.rows?.[index];
    return row === undefined ? undefined : this.items.get(row);
  }

  indexOf(row: number): number {
    return this.rows?.indexOf(row) ?? -1;
  }

  see(first: number, last: number): void {
    this.#sight = [first, last];
    void this.#fill();
  }

  /** Reload the details of visible images. */
  refresh(): void {
    this.#requestedChunks.clear();
    void this.#fill();
  }

  /** What actions apply to: the open image, else the selected images. */
  acted(): Selection {
    return this.viewed === null ? this.selection : clicked(emptySelection, this.viewed);
  }

  /** Select an image, scroll to it and focus it; in the viewer, open it. */
  go(index: number): void {
    if (this.viewed !== null) return this.view(index);
    this.selection = clicked(this.selection, index);
    this.onshow(index);
  }

  /** Select the listed ones of these row ids, and go to the first; in the viewer, open it. */
  goToAll(rows: readonly number[]): void {
    const wanted = new Set(rows);
    const indices = [...(this.rows ?? []).keys()].filter((index) => wanted.has(this.rows![index]!));
    if (!indices.length) return;
    this.go(indices[0]!);
    this.selection = { ...this.selection, indices: new Set(indices) };
  }

  /** Go to the image after the selected or open one. */
  advance(): void {
    if (this.viewed !== null) this.turn(1);
    else {
      this.selection = advanced(this.selection, this.n);
      this.onshow(this.selection.focus);
    }
  }

  view(index: number): void {
    this.viewed = index;
    this.selection = clicked(this.selection, index);
    this.see(Math.max(0, index - 4), Math.min(this.n - 1, index + 4));
  }

  turn(by: number): void {
    if (this.viewed !== null && this.viewed + by >= 0 && this.viewed + by < this.n)
      this.view(this.viewed + by);
  }

  async closed(): Promise<void> {
    if (this.viewed === null) return;
    this.viewed = null;
    await tick();
    this.onshow(this.selection.focus);
    if (this.#isStale) await this.reload();
  }

  /** Show a change before the server saves it. The result is the images that differ, as they were before. */
  change(rows: number[], changed: (item: Item) => Item): Item[] {
    const before: Item[] = [];
    for (const row of rows) {
      const item = this.items.get(row);
      const after = item && changed(item);
      if (!item || !after || after === item) continue;
      before.push(item);
      this.items.set(row, after);
    }
    this.isChanged = true;
    this.#mark(rows, 1);
    return before;
  }

  /** The server responded to a change. */
  settle(rows: number[]): void {
    this.#mark(rows, -1);
  }

  /** Show newer details of images. */
  put(items: readonly Item[]): void {
    for (const item of items) this.items.set(item.row_id, item);
    this.invalidate(items.map(({ row_id }) => row_id));
  }

  /** The server changed these images, so that responses to earlier requests are outdated. */
  invalidate(rows: number[]): void {
    this.isChanged = true;
    this.#mark(rows, 0);
  }

  /** Row ids of selected images whose details may be shown: all of a list; of all images, those that were loaded. */
  shownRows(selection: Selection): number[] {
    const rows = this.rows ?? new Uint32Array();
    if (!selection.isInverted) return selectedIndices(selection, rows.length).map((index) => rows[index]!);
    const shown: number[] = [];
    for (const chunk of this.#requestedChunks)
      for (let index = chunk * CHUNK; index < Math.min(rows.length, (chunk + 1) * CHUNK); index += 1)
        if (isSelected(selection, index)) shown.push(rows[index]!);
    return shown;
  }

  async #read(query: Query, isNew: boolean): Promise<void> {
    this.#load.abort();
    this.#load = new AbortController();
    this.#isStale = false;
    const { signal } = this.#load;
    try {
      await this.sequential(async () => {});
      if (signal.aborted) return;
      const requestedAt = this.#clock;
      const list = await this.source.list(query, signal);
      if (signal.aborted) return;
      this.isChanged = this.#clock !== requestedAt; // the list may be older than a change
      await this.#arrange(list, query, isNew);
    } catch (problem) {
      if (signal.aborted) return;
      this.problem = problem;
      if (!isNew) return;
      this.#list = null; // the images of another query must not be selected under these filters
      this.selection = emptySelection;
    }
  }

  #arrange(list: RowList, query: Query, isNew: boolean): Promise<unknown> {
    const before = this.rows;
    const { rows } = list;
    const isContinued = before !== null && before.length && before.every((row, k) => row === rows[k]);
    // If nothing is selected and the focus is on the first image, both stay at the start of the list.
    const isAtStart = !this.nSelected && this.selection.focus === 0;
    this.matched = query;
    this.isComplete = true;
    this.problem = null;
    this.#requestedChunks.clear();
    if (!isContinued || before.length !== rows.length) this.#list = list; // else nothing changed
    if (!isContinued || (this.selection.isInverted && before.length !== rows.length)) {
      const viewed = this.viewed === null ? undefined : before?.[this.viewed];
      const isOther = isNew && !isContinued;
      this.selection = isOther || !before || isAtStart ? emptySelection : moved(this.selection, before, rows);
      if (isOther) {
        this.order += 1;
        this.#sight = [0, Math.min(rows.length, CHUNK) - 1];
      }
      if (viewed !== undefined) {
        const index = rows.indexOf(viewed);
        if (index >= 0) this.viewed = index;
        else if (this.followsNext && rows.length) this.view(this.selection.focus);
        else this.viewed = null;
      }
    }
    return this.#fill();
  }

  /** Remove images that the server does not have any more from an order that stays. */
  #remove(requested: Uint32Array, items: readonly Item[]): void {
    const present = new Set(items.map(({ row_id }) => row_id));
    const removed = new Set(requested.filter((row) => !present.has(row)));
    const rows = this.rows!.filter((row) => !removed.has(row));
    this.isChanged = true; // the digest is that of more images
    void this.#arrange({ ...this.#list!, rows }, this.matched!, false);
  }

  #mark(rows: number[], nMoreWaiting: number): void {
    const at = (this.#clock += 1);
    for (const row of rows)
      this.#changes.set(row, { nWaiting: (this.#changes.get(row)?.nWaiting ?? 0) + nMoreWaiting, at });
  }

  #fill(): Promise<unknown> {
    const [first, last] = this.#sight;
    const loads: Promise<void>[] = [];
    for (let chunk = Math.floor(first / CHUNK); chunk <= Math.floor(last / CHUNK); chunk += 1)
      if (!this.#requestedChunks.has(chunk)) loads.push(this.#fetch(chunk));
    return Promise.all(loads);
  }

  async #fetch(chunk: number): Promise<void> {
    const rows = this.rows?.slice(chunk * CHUNK, (chunk + 1) * CHUNK);
    if (!rows?.length) return;
    this.#requestedChunks.add(chunk);
    const { signal } = this.#load;
    const requestedAt = this.#clock;
    const number = (this.#nRequests += 1);
    this.#newest.set(chunk, number);
    try {
      const items = await this.source.read(rows);
      if (this.#newest.get(chunk) !== number) return; // a later request has newer details
      if (items.length < rows.length && this.keepsOrder(this.matched!)) this.#remove(rows, items);
      for (const item of items) {
        const change = this.#changes.get(item.row_id);
        if (!change || (change.nWaiting === 0 && change.at <= requestedAt)) this.items.set(item.row_id, item);
      }
    } catch {
      // The next scroll loads the chunk again.
      if (!signal.aborted) setTimeout(() => this.#requestedChunks.delete(chunk), 2000);
    }
  }
}
