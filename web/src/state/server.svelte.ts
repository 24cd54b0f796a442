// Whether the server answers. Where it does not, it is asked until it does; then pages ask anew.
import { api } from '../api/client';
import { outdated, silent } from '../api/signals';

const AGAIN_MS = 2000;
const LOOK_MS = 15_000; // a page that asks for nothing would not notice

class Server {
  isGone = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** From now on; gives what ends it. */
  watch(): () => void {
    const end = silent.on(() => this.#lost());
    this.#later(LOOK_MS);
    return () => {
      end();
      clearTimeout(this.#timer);
    };
  }

  #lost(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#later(AGAIN_MS);
  }

  #later(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), wait);
  }

  async #look(): Promise<void> {
    if (document.visibilityState === 'visible') {
      const isThere = await api.GET('/api/v1/system').then(
        ({ response }) => response.ok,
        () => false,
      );
      const wasGone = this.isGone;
      this.isGone = !isThere;
      if (wasGone && isThere) outdated.tell();
    }
    this.#later(this.isGone ? AGAIN_MS : LOOK_MS);
  }
}

export const server = new Server();
