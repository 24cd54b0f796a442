// Watches the server: whether it responds, and whether jobs or datasets changed, so that pages reload.
import { api } from '../api/client';
import { outdated, noResponse } from '../api/signals';

const CHECK_MS = 2000; // needed because a page without requests would not notice changes

class Server {
  isGone = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #activity: string | null = null; // last value from the server

  /** Start watching; the result stops it. */
  watch(): () => void {
    const end = noResponse.on(() => this.#lost());
    this.#later(0);
    return () => {
      end();
      clearTimeout(this.#timer);
    };
  }

  #lost(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#later(CHECK_MS);
  }

  #later(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#check(), wait);
  }

  async #check(): Promise<void> {
    if (document.visibilityState === 'visible') {
      const now = await api.GET('/api/v1/system').then(
        ({ data }) => data?.activity ?? null,
        () => null,
      );
      const hasChanged = this.isGone || (this.#activity !== null && this.#activity !== now);
      this.isGone = now === null;
      if (now !== null) {
        this.#activity = now;
        if (hasChanged) outdated.emit();
      }
    }
    this.#later(CHECK_MS);
  }
}

export const server = new Server();
