// Edits of an object that is saved as a whole. If each save started from the last response, it would revert the edits
// that are on their way.
import { isOutdated, Problem } from '../api/client';
import { connection } from './connection.svelte';
import { notices } from './notices.svelte';
import { saving } from './queue';

/** Must give the same result if it is applied to its result. */
type Edit<T> = (value: T) => T;

const RETRY_MS = 1000;

export class SaveQueue<T> {
  #edits = $state.raw<readonly Edit<T>[]>([]); // not saved yet, oldest first
  #enqueue = saving();
  /** The object with all edits, to show them at once. */
  readonly value = $derived.by(() => this.#edited(this.#edits));

  readonly isSaving = $derived.by(() => this.#edits.length > 0);

  /**
   * `read` returns the object of the last response, and `save` sends an object and stores the response where `read`
   * finds it.
   */
  constructor(
    private readonly read: () => T,
    private readonly save: (value: T) => Promise<unknown>,
  ) {}

  /**
   * Save an edit, together with those that wait for an earlier save. If the server does not answer, it is saved when it
   * does; if it is refused, show why and remove it.
   */
  edit(change: Edit<T>): Promise<void> {
    this.#edits = [...this.#edits, change];
    return this.#enqueue(() => this.#save(this.#edits.length));
  }

  async #save(n: number): Promise<void> {
    if (n === 0) return; // an earlier save has sent them
    try {
      await this.save(this.#edited(this.#edits.slice(0, n)));
    } catch (problem) {
      if (problem instanceof Problem && problem.status === 0) {
        do await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        while (connection.isLost);
        return this.#save(n);
      }
      // A refusal may be due to one edit, so the others are saved without it. If somebody else has edited the object,
      // the user must look at it first.
      if (n > 1 && !isOutdated(problem)) {
        for (let k = 0; k < n; k += 1) await this.#save(1);
        return;
      }
      notices.showProblem(problem);
    }
    this.#edits = this.#edits.slice(n);
  }

  #edited(edits: readonly Edit<T>[]): T {
    return edits.reduce((value, edit) => edit(value), this.read());
  }
}
