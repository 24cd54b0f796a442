// An upload of files, four at a time. A failed file does not stop the others.
import type { Dataset, TableChoices } from '../../../api/datasets';
import {
  cancelUpload,
  finishUpload,
  openUpload,
  readUploadedTable,
  sendFile,
  type FinishUpload,
} from '../../../api/uploads';
import type { NamedFile, NamedFiles } from '../../../state/drops.svelte';

const PARALLEL = 4;
const RATE_MS = 4000; // time window of the upload speed, from which the remaining time is estimated

/** The classifier that will predict the images, or the dataset that they are added to. */
type Destination = Pick<FinishUpload, 'classifier_id' | 'dataset_id'>;

export class Upload {
  state = $state<'idle' | 'sending' | 'paused' | 'table' | 'finishing'>('idle');
  table = $state<string | null>(null); // path of the table whose columns the user must choose
  nDone = $state(0);
  nFiles = $state(0);
  bytesDone = $state(0);
  bytesAll = $state(0);
  secondsLeft = $state<number | null>(null);
  failed = $state.raw<{ sent: NamedFile; problem: unknown }[]>([]);
  problem = $state.raw<unknown>(null);
  isEmpty = $state(false); // whether there were no files
  #id: string | null = null;
  readonly #destination: Destination;
  readonly #stop = new AbortController();
  #rates: [number, number][] = []; // [time in ms, bytes]

  constructor(destination: Destination = {}) {
    this.#destination = destination;
  }

  /**
   * Send files, once. The result is null if there are none, files failed (see `failed`), the upload was canceled, or
   * there was a `problem`.
   */
  async send(
    listed: NamedFiles | Promise<NamedFiles>,
    unnamed: string, // name of a dataset of several files
    isLabeled: boolean,
  ): Promise<Dataset | null> {
    this.state = 'sending';
    try {
      const { files, name } = await listed;
      if (this.#stop.signal.aborted) return null;
      this.isEmpty = !files.length;
      if (this.isEmpty) {
        this.state = 'idle';
        return null;
      }
      this.nFiles = files.length;
      this.#id = (await openUpload((name || unnamed).slice(0, 200), isLabeled)).id;
      if (this.#stop.signal.aborted) {
        this.cancel();
        return null;
      }
      await this.#sendAll(files);
    } catch (problem) {
      if (!this.#stop.signal.aborted) {
        this.problem = problem;
        this.state = 'idle';
      }
      return null;
    }
    return this.#end();
  }

  /** Send the failed files again. */
  async retry(): Promise<Dataset | null> {
    const files = this.failed.map(({ sent }) => sent);
    this.problem = null;
    this.failed = [];
    this.state = 'sending';
    await this.#sendAll(files);
    return this.#end();
  }

  /**
   * Create a dataset from the uploaded files. The result is null if the user must choose the columns of a
   * table first.
   */
  async finish(): Promise<Dataset | null> {
    return this.#attempt(async () => {
      const table = await readUploadedTable(this.#id!);
      if (!table) return this.#finish({});
      this.table = table.path;
      this.state = 'table';
      return null;
    });
  }

  /** Create a dataset from the images without the table. `null` keeps the choice about labels. */
  async finishImages(isLabeled: boolean | null): Promise<Dataset | null> {
    return this.#attempt(() => this.#finish({ is_labeled: isLabeled, ignores_table: true }));
  }

  /** Create a dataset from the table with these columns. If there is a problem, the user can change them. */
  async finishTable(choices: TableChoices, isLabeled: boolean): Promise<Dataset | null> {
    return this.#attempt(() => this.#finish({ is_labeled: isLabeled, table: choices }), 'table');
  }

  /** Run a step. If it fails, the files stay on the server until the upload is canceled. */
  async #attempt(
    work: () => Promise<Dataset | null>,
    afterFailure: 'paused' | 'table' = 'paused',
  ): Promise<Dataset | null> {
    this.problem = null;
    this.state = 'finishing';
    try {
      return await work();
    } catch (problem) {
      if (!this.#stop.signal.aborted) {
        this.problem = problem;
        this.state = afterFailure;
        if (afterFailure === 'paused') this.table = null;
      }
      return null;
    }
  }

  async #finish(how: FinishUpload): Promise<Dataset | null> {
    const dataset = await finishUpload(this.#id!, { ...how, ...this.#destination });
    this.#id = null;
    this.state = 'idle';
    return this.#stop.signal.aborted ? null : dataset;
  }

  cancel(): void {
    this.#stop.abort();
    this.problem = null;
    this.state = 'idle';
    const id = this.#id;
    this.#id = null;
    if (id) void cancelUpload(id).catch(() => {});
  }

  async #end(): Promise<Dataset | null> {
    if (this.#stop.signal.aborted) return null;
    if (this.failed.length) {
      this.state = 'paused';
      return null;
    }
    return this.finish();
  }

  async #sendAll(files: NamedFile[]): Promise<void> {
    this.bytesAll += files.reduce((sum, { file }) => sum + file.size, 0);
    this.#rates = [];
    const waiting = files.values();
    const worker = async () => {
      for (const sent of waiting) {
        if (this.#stop.signal.aborted) return;
        await this.#sendOne(sent);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  }

  async #sendOne(sent: NamedFile): Promise<void> {
    let counted = 0;
    const count = (bytes: number) => {
      this.bytesDone += bytes - counted;
      counted = bytes;
      this.#estimateTime();
    };
    try {
      await sendFile(this.#id!, sent.name, sent.file, count, this.#stop.signal);
      count(sent.file.size);
      this.nDone += 1;
    } catch (problem) {
      count(0);
      this.bytesAll -= sent.file.size;
      if (!this.#stop.signal.aborted) this.failed = [...this.failed, { sent, problem }];
    }
  }

  #estimateTime(): void {
    const now = performance.now();
    const [first] = this.#rates;
    if (this.#rates.length && now - this.#rates[this.#rates.length - 1]![0] < 200) return;
    this.#rates.push([now, this.bytesDone]);
    while (this.#rates.length > 2 && now - this.#rates[0]![0] > RATE_MS) this.#rates.shift();
    if (!first || now - first[0] < 1000) return;
    const speed = (this.bytesDone - first[1]) / (now - first[0]);
    this.secondsLeft = speed > 0 ? (this.bytesAll - this.bytesDone) / speed / 1000 : null;
  }
}
