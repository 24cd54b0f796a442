// Notices at the lower edge of the page: what was done, with an undo button, or what failed. Those on labels are at the
// upper edge, where they neither cover images nor move the page.
import { problemLine } from '../texts/problems';

export interface Notice {
  id: number;
  text: string;
  isBad: boolean;
  isOfLabel?: boolean; // which label an image got
  action?: {
    title: string;
    run: () => void;
    isOfPage?: boolean; // applies to data on the page, so the notice closes with the page
    restores?: string; // id of the deleted item; the notice closes if the item is restored by another button
  };
}

const SHOWN_MS = 8000;

class Notices {
  list = $state<Notice[]>([]);
  #next = 0;

  /** Show a notice. The result is the id for `close`. */
  show(text: string, action?: Notice['action']): number {
    return this.#add({ text, isBad: false, action });
  }

  /** Show which label an image got. The result is the id for `close`. */
  showLabel(text: string, action?: Notice['action']): number {
    return this.#add({ text, isBad: false, isOfLabel: true, action });
  }

  /** Show a problem. It stays until the user closes it. */
  showProblem(problem: unknown): void {
    this.#add({ text: problemLine(problem), isBad: true });
  }

  /** Do what the user requested, and show a problem if it fails. */
  async attempt(work: () => unknown): Promise<void> {
    try {
      await work();
    } catch (problem) {
      this.showProblem(problem);
    }
  }

  close(id: number): void {
    this.list = this.list.filter((notice) => notice.id !== id);
  }

  restored(id: string): void {
    this.list = this.list.filter((notice) => notice.action?.restores !== id);
  }

  leavePage(): void {
    this.list = this.list.filter((notice) => !notice.action?.isOfPage && !notice.isOfLabel);
  }

  #add(notice: Omit<Notice, 'id'>): number {
    const id = this.#next++;
    // A new notice replaces the last one, except problems.
    const problems = this.list.filter(({ isBad, text }) => isBad && text !== notice.text);
    this.list = [...problems, { ...notice, id }].slice(-3);
    // Notices with an action stay too, so that nobody has to hurry.
    if (!notice.isBad && !notice.action) setTimeout(() => this.close(id), SHOWN_MS);
    return id;
  }
}

export const notices = new Notices();
