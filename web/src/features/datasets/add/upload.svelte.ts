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

export interface NamedFile {
  name: string; // path with folders, such as `class/cell.png`
  file: File;
}

const PARALLEL = 4;
const RATE_MS = 4000; // time window of the upload speed, from which the remaining time is estimated

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
  #classifierId: string | null = null; // that will predict the images
  readonly #stop = new AbortController();
  #rates: [number, number][] = []; // [time in ms, bytes]

  /**
   * Send the files of an input or a drop, once. The result is null if there are none, files failed (see `failed`), the
   * upload was canceled, or there was a `problem`.
   */
  async send(
    source: FileList | DataTransfer,
    unnamed: string, // name of a dataset of several files
    isLabeled: boolean,
    classifierId: string | null = null,
  ): Promise<Dataset | null> {
    this.#classifierId = classifierId;
    this.state = 'sending';
    try {
      const { files, name } = await filesOf(source);
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
    const dataset = await finishUpload(this.#id!, { ...how, classifier_id: this.#classifierId });
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

/** The files of an input or a drop with their folder paths, without the name of the top folder. */
export async function filesOf(
  source: FileList | DataTransfer,
): Promise<{ files: NamedFile[]; name: string }> {
  const files: NamedFile[] = [];
  if (source instanceof FileList) {
    for (const file of source) files.push({ name: file.webkitRelativePath || file.name, file });
  } else {
    const entries = [...source.items]
      .map((item) => item.webkitGetAsEntry())
      .filter((entry) => entry !== null);
    for (const entry of entries) await walk(entry, '', files);
  }
  return withoutTop(
    withDistinctNames(files.filter(({ name }) => !name.split('/').some((piece) => piece.startsWith('.')))),
  );
}

/** Files of one name, such as results of a search in several folders, get numbers: none replaces another. */
export function withDistinctNames(files: NamedFile[]): NamedFile[] {
  const originals = new Set(files.map(({ name }) => name));
  const used = new Set<string>();
  return files.map((sent) => {
    let { name } = sent;
    for (let n = 2; used.has(name); n += 1) {
      const numbered = sent.name.replace(/(\.[^./]*)?$/, (suffix) => ` (${n})${suffix}`);
      if (!originals.has(numbered)) name = numbered;
    }
    used.add(name);
    return { ...sent, name };
  });
}

/**
 * Files `cells/a/1.png` and `cells/b/2.png` become a dataset with the name “cells” and the folders a and b.
 */
export function withoutTop(files: NamedFile[]): { files: NamedFile[]; name: string } {
  const tops = new Set(files.map(({ name }) => name.split('/')[0]));
  const [top] = tops;
  if (tops.size === 1 && top !== undefined && files.every(({ name }) => name.includes('/')))
    return { files: files.map((sent) => ({ ...sent, name: sent.name.slice(top.length + 1) })), name: top };
  const [first] = files;
  return { files, name: files.length === 1 && first ? first.name.replace(/\.[^.]*$/, '') : '' };
}

async function walk(entry: FileSystemEntry, above: string, files: NamedFile[]): Promise<void> {
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
    // A reader returns at most 100 entries at a time.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (!some.length) return;
    for (const below of some) await walk(below, `${name}/`, files);
  }
}
