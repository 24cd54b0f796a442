// Definitions of terms, from the glossary of the documentation or its translation.
import { LANGUAGE } from '../../texts/language';
import { addressOf, cellsOf, inline } from './markdown';

const files = import.meta.glob<string>(['../../../../docs/glossary.md', '../../texts/*/glossary.md'], {
  query: '?raw',
  import: 'default',
});

/** The glossary in the language of the page. */
export async function readGlossary(): Promise<string> {
  const read = files[`../../texts/${LANGUAGE}/glossary.md`] ?? files['../../../../docs/glossary.md'];
  return (await read?.()) ?? '';
}

export interface Definition {
  term: string; // in the language of the page
  html: string;
}

const namesOf = (cell: string) =>
  cell
    .replace(/ \([^)]*\)$/, '')
    .replaceAll('`', '')
    .split(', ');

/**
 * The definitions by English term. A cell such as `recipe, settings (S)` holds two terms. A translation has
 * another column, between the English terms and the definitions.
 */
export function definitionsOf(glossary: string): Map<string, Definition> {
  const [, , ...rows] = glossary.split('\n').filter((line) => line.startsWith('|'));
  return new Map(
    rows.flatMap((row) => {
      const cells = cellsOf(row);
      const translated = namesOf(cells.at(-2) ?? '');
      const html = inline(cells.at(-1) ?? '', (target) => addressOf(target, 'glossary', []));
      return namesOf(cells[0] ?? '').map((name, k) => [name, { term: translated[k] ?? name, html }] as const);
    }),
  );
}
