// The text of a recipe that is synchronized with a form: changes in the form are written into the text, and
// valid text is applied to the form.
import { Problem } from '../../api/client';
import { readRecipe, writeRecipe } from '../../api/runs';
import { problemText } from '../../texts/problems';
import { nested, same, withChanges, type Changes, type Fault } from './recipe';

const DELAY_MS = 350;

export class RecipeDraft {
  text = $state('');
  faults = $state.raw<readonly Fault[]>([]);
  isPending = $state(false); // the text and the form differ
  isReading = $state(false); // the text is not applied to the form yet
  #values: Changes | null = null; // values of the text
  #before: Changes = {}; // values of the form before a text that is not applied yet
  #timer: ReturnType<typeof setTimeout> | undefined;
  #request: AbortController | null = null;

  /**
   * `onread` receives the values of the text with dotted keys, and returns the resulting values of the form.
   */
  constructor(private readonly onread: (values: Changes) => Changes) {}

  /**
   * Write the values of the form, with dotted or nested keys, into the text. Text with equal values stays as
   * it is; text that is not applied yet is applied before the changes of the form.
   */
  setValues(values: Changes): void {
    if (same(values, this.#values)) return;
    this.#values = values;
    if (this.isReading) {
      const text = this.text;
      void this.#schedule(async (signal) => {
        const read = (await readRecipe(text, signal)).values as Changes;
        this.#values = this.onread(withChanges(read, this.#before, values));
        this.#setWritten(await writeRecipe(nested(this.#values), signal));
      }, 0);
      this.isReading = true;
    } else if (Object.keys(values).length === 0) {
      this.stop();
      this.text = '';
      this.faults = [];
    } else
      void this.#schedule(async (signal) => this.#setWritten(await writeRecipe(nested(values), signal)), 0);
  }

  /** Set the text; the result resolves when it is read. */
  setText(text: string, wait = DELAY_MS): Promise<void> {
    if (!this.isReading) this.#before = this.#values ?? {};
    this.text = text;
    const read = this.#schedule(async (signal) => {
      const { values } = await readRecipe(text, signal);
      this.faults = [];
      this.#values = this.onread(values as Changes);
    }, wait);
    this.isReading = true;
    return read;
  }

  stop(): void {
    this.isReading = this.isPending = false;
    clearTimeout(this.#timer);
    this.#request?.abort();
  }

  #setWritten({ text }: { text: string }): void {
    this.text = text.replace(/^format_version: 1\n/, '');
    this.faults = [];
  }

  #schedule(work: (signal: AbortSignal) => Promise<void>, wait: number): Promise<void> {
    this.stop();
    this.isPending = true;
    const request = new AbortController();
    this.#request = request;
    return new Promise((resolve) => {
      this.#timer = setTimeout(() => {
        work(request.signal)
          .catch((error: unknown) => {
            if (!request.signal.aborted) this.faults = faultsIn(error);
          })
          .finally(() => {
            if (!request.signal.aborted) {
              this.isReading = this.isPending = false;
            }
            resolve();
          });
      }, wait);
    });
  }
}

/** The faults of a recipe. If the problem lists none, its message is the only fault. */
export function faultsIn(problem: unknown): readonly Fault[] {
  if (problem instanceof Problem && problem.errors.length) return problem.errors;
  const { title, advice } = problemText(problem);
  return [{ field: '', message: [title, advice].filter(Boolean).join(' ') }];
}
