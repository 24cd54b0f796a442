// Short messages at the edge of the page: what was done, with a way back, or what failed.
import { problemLine } from '../texts/problems';

export interface Notice {
  id: number;
  text: string;
  isBad: boolean;
  action?: {
    title: string;
    run: () => void;
    isOfPage?: boolean; // of what a page shows: closes with it
    restores?: string; // the id of what was deleted: closes if that is restored in another way
  };
}

const SHOWN_MS = 8000;

class Notices {
  list = $state<Notice[]>([]);
  #next = 0;

  /** Gives what `close` takes, for a way back that leads back no longer. */
  say(text: string, action?: Notice['action']): number {
    return this.#add({ text, isBad: false, action });
  }

  /** What failed stays until it is closed. */
  fail(problem: unknown): void {
    this.#add({ text: problemLine(problem), isBad: true });
  }

  close(id: number): void {
    this.list = this.list.filter((notice) => notice.id !== id);
  }

  restored(id: string): void {
    this.list = this.list.filter((notice) => notice.action?.restores !== id);
  }

  leavePage(): void {
    this.list = this.list.filter((notice) => !notice.action?.isOfPage);
  }

  #add(notice: Omit<Notice, 'id'>): number {
    const id = this.#next++;
    // A new message takes the place of the last one; what failed stays.
    const kept = this.list.filter((other) => other.isBad && other.text !== notice.text);
    this.list = [...kept, { ...notice, id }].slice(-3);
    // The way back stays too: for some it may be the only one, and not everybody is quick.
    if (!notice.isBad && !notice.action) setTimeout(() => this.close(id), SHOWN_MS);
    return id;
  }
}

export const notices = new Notices();
