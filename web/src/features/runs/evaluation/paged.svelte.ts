// Rows that are loaded page by page.
import type { PictureRow } from '../../../api/evaluations';

const PAGE = 120;

export class PagedRows {
  items = $state.raw<readonly PictureRow[]>([]);
  total = $state<number | null>(null); // null until loaded
  problem = $state.raw<unknown>(null);
  readonly hasMore = $derived(this.total !== null && this.items.length < this.total);
  #request: AbortController | null = null;

  constructor(
    private readonly load: (
      offset: number,
      limit: number,
      signal: AbortSignal,
    ) => Promise<{ items: PictureRow[]; total: number }>,
  ) {}

  /** Load the next page, unless it is loading or there is none. */
  async more(): Promise<void> {
    if (this.#request || (this.total !== null && !this.hasMore)) return;
    const request = new AbortController();
    this.#request = request;
    try {
      const page = await this.load(this.items.length, PAGE, request.signal);
      this.items = [...this.items, ...page.items];
      this.total = page.total;
      this.problem = null;
    } catch (error) {
      if (!request.signal.aborted) this.problem = error;
    } finally {
      if (this.#request === request) this.#request = null;
    }
  }

  /** Replace a changed row. */
  replace(row: PictureRow): void {
    this.items = this.items.map((item) => (item.row_id === row.row_id ? row : item));
  }

  /** Cancel the request of the next page. */
  abort(): void {
    this.#request?.abort();
    this.#request = null;
  }
}
