// Files on their way to the server: each a body of its own, four at a time. A file that fails stops none of the others.
import type { Dataset, TableChoices } from '../../../api/datasets';
import {
  cancelUpload,
  finishUpload,
  openUpload,
  readUploadedTable,
  sendFile,
  type FinishUpload,
} from '../../../api/uploads';

export interface Sent {
  name: string; // with folders, `class/cell.png`
  file: File;
}

const PARALLEL = 4;
const RATE_MS = 4000; // the speed of the last seconds tells the time left

export class Uploading {
  state = $state<'idle' | 'sending' | 'paused' | 'table' | 'finishing'>('idle');
  table = $state<string | null>(null); // path of the table whose columns are to be chosen
  nDone = $state(0);
  nFiles = $state(0);
  bytesDone = $state(0);
  bytesAll = $state(0);
  secondsLeft = $state<number | null>(null);
  failed = $state.raw<{ sent: Sent; problem: unknown }[]>([]);
  problem = $state.raw<unknown>(null);
  #id: string | null = null;
  #stop = new AbortController();
  #rates: [number, number][] = []; // time, bytes

  /** Send all of them; null where some failed (see `failed`), all were canceled, or there was a `problem`. */
  async send(files: Sent[], name: string, isLabeled: boolean): Promise<Dataset | null> {
    this.problem = null;
    this.failed = [];
    this.state = 'sending';
    this.#stop = new AbortController();
    this.bytesDone = 0;
    try {
      this.#id = (await openUpload(name.slice(0, 200), isLabeled)).id;
    } catch (problem) {
      if (!this.#stop.signal.aborted) {
        this.problem = problem;
        this.state = 'idle';
      }
      return null;
    }
    await this.#sendAll(files);
    return this.#end();
  }

  /** The failed ones once more. */
  async again(): Promise<Dataset | null> {
    const files = this.failed.map(({ sent }) => sent);
    this.problem = null;
    this.failed = [];
    this.state = 'sending';
    await this.#sendAll(files);
    return this.#end();
  }

  /** Make a dataset of the files that arrived, without those that failed; null: the columns of a table come first. */
  async finish(): Promise<Dataset | null> {
    return this.#attempt(async () => {
      const table = await readUploadedTable(this.#id!);
      if (!table) return this.#finish({});
      this.table = table.path;
      this.state = 'table';
      return null;
    });
  }

  /** Make a dataset of the images alone, with labels as was said at first, or without. */
  async finishImages(isLabeled: boolean | null): Promise<Dataset | null> {
    return this.#attempt(() => this.#finish({ is_labeled: isLabeled, ignores_table: true }));
  }

  /** The same with the table's columns; what is wrong with them can be changed. */
  async finishTable(choices: TableChoices, isLabeled: boolean): Promise<Dataset | null> {
    this.problem = null;
    try {
      return await this.#finish({ is_labeled: isLabeled, table: choices });
    } catch (problem) {
      if (!this.#stop.signal.aborted) this.problem = problem;
      return null;
    }
  }

  /** Whatever fails, the files stay on the server until they are canceled. */
  async #attempt(work: () => Promise<Dataset | null>): Promise<Dataset | null> {
    this.problem = null;
    this.state = 'finishing';
    try {
      return await work();
    } catch (problem) {
      if (!this.#stop.signal.aborted) {
        this.problem = problem;
        this.state = 'paused';
      }
      return null;
    }
  }

  async #finish(how: FinishUpload): Promise<Dataset | null> {
    const dataset = await finishUpload(this.#id!, how);
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

  async #sendAll(files: Sent[]): Promise<void> {
    this.nDone = 0;
    this.nFiles = files.length;
    this.bytesDone = 0;
    this.bytesAll = files.reduce((sum, { file }) => sum + file.size, 0);
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

  async #sendOne(sent: Sent): Promise<void> {
    let counted = 0;
    const count = (bytes: number) => {
      this.bytesDone += bytes - counted;
      counted = bytes;
      this.#guess();
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

  #guess(): void {
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

/** The files of a choice or a drop, with their folders; the top folder's own name is left out. */
export async function filesOf(source: FileList | DataTransfer): Promise<{ files: Sent[]; name: string }> {
  const files: Sent[] = [];
  if (source instanceof FileList) {
    for (const file of source) files.push({ name: file.webkitRelativePath || file.name, file });
  } else {
    const entries = [...source.items]
      .map((item) => item.webkitGetAsEntry())
      .filter((entry) => entry !== null);
    for (const entry of entries) await walk(entry, '', files);
  }
  return withoutTop(files.filter(({ name }) => !name.split('/').some((piece) => piece.startsWith('.'))));
}

/** A folder `cells/a/1.png, cells/b/2.png` becomes a dataset called cells, with the folders a and b. */
export function withoutTop(files: Sent[]): { files: Sent[]; name: string } {
  const tops = new Set(files.map(({ name }) => name.split('/')[0]));
  const [top] = tops;
  if (tops.size === 1 && top !== undefined && files.every(({ name }) => name.includes('/')))
    return { files: files.map((sent) => ({ ...sent, name: sent.name.slice(top.length + 1) })), name: top };
  const [first] = files;
  return { files, name: files.length === 1 && first ? first.name.replace(/\.[^.]*$/, '') : '' };
}

async function walk(entry: FileSystemEntry, above: string, files: Sent[]): Promise<void> {
  const name = above + entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    files.push({ name, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives at most 100 entries a time.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (!some.length) return;
    for (const below of some) await walk(below, `${name}/`, files);
  }
}
