// The catalogue of all texts of the pages, in the language of the page. Each file is loaded with the pages that use it.
import type { Texts } from './en';
import { LANGUAGE } from './language';

/** A file of texts of each language. */
type Part = keyof Texts;

const files = import.meta.glob<Partial<Texts>>(['./en/*.ts', './de/*.ts', '!./*/index.ts']);

/** The texts. The parts that a page uses are loaded before its code, which may use them anywhere. */
export const texts = {} as Texts;

/** Load texts, then the code that uses them. */
export async function withTexts<Code>(
  parts: readonly Part[],
  importCode: () => Promise<Code>,
): Promise<Code> {
  const load = async (part: Part) => [part, (await files[`./${LANGUAGE}/${part}.ts`]!())[part]] as const;
  Object.assign(texts, Object.fromEntries(await Promise.all(parts.map(load))));
  return importCode();
}
