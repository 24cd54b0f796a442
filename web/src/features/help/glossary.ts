// Definitions of terms, from the glossary of the documentation.
import { addressOf, cellsOf, inline } from './markdown';

/** The definition of every term as HTML. A cell such as `recipe, settings (S)` defines `recipe` and `settings`. */
export function definitionsOf(glossary: string): Map<string, string> {
  const rows = glossary.split('\n').filter((line) => /^\| (?!term )/.test(line));
  return new Map(
    rows.flatMap((row) => {
      const [names = '', definition = ''] = cellsOf(row);
      const html = inline(definition, (target) => addressOf(target, 'glossary', []));
      return names
        .replace(/ \(.*\)$/, '')
        .replaceAll('`', '')
        .split(', ')
        .map((name) => [name, html] as const);
    }),
  );
}

const files = import.meta.glob<string>('../../../../docs/glossary.md', { query: '?raw', import: 'default' });

export async function readDefinitions(): Promise<Map<string, string>> {
  const [read] = Object.values(files);
  return definitionsOf((await read?.()) ?? '');
}
