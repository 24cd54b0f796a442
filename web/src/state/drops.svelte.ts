// Files that the user dropped, pasted or chose, about which a dialog asks what to do with them (`features/drop`).

export interface NamedFile {
  name: string; // path with folders, such as `class/cell.png`
  file: File;
}
export interface NamedFiles {
  files: NamedFile[];
  name: string; // of the folder or the only file; empty: there is none
}

class Drops {
  /** The files, which are listed meanwhile; null: there are none. */
  files = $state.raw<Promise<NamedFiles> | null>(null);
  /** They are uploaded: other files, or closing the dialog, would cancel the upload. */
  isBusy = $state(false);
  /** A table of samples, for the page of the samples. */
  table = $state.raw<File | null>(null);

  /** Ask what to do with files. A drop must be offered while its event is handled: later it is empty. */
  offer(source: FileList | DataTransfer): void {
    if (!this.isBusy) this.files = filesOf(source);
  }
}

export const drops = new Drops();

/** The files of an input or a drop with their folder paths, without the name of the top folder. */
export async function filesOf(source: FileList | DataTransfer): Promise<NamedFiles> {
  const files: NamedFile[] = [];
  if (source instanceof FileList) {
    for (const file of source) files.push({ name: file.webkitRelativePath || file.name, file });
  } else {
    const entries = [...source.items].map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
    for (const entry of entries) {
      if (entry instanceof File) files.push({ name: entry.name, file: entry });
      else if (entry) await walk(entry, '', files);
    }
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
export function withoutTop(files: NamedFile[]): NamedFiles {
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
