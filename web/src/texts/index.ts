// The catalogue of all texts of the pages, in the language of the page.
import type { Texts } from './en';
import { LANGUAGE, type Language } from './language';

const catalogues: Record<Language, () => Promise<{ texts: Texts }>> = {
  en: () => import('./en'),
  de: () => import('./de'),
};

/** All texts. `loadTexts` sets them before the code of the pages is loaded, so this code may use them anywhere. */
export let texts: Texts;

export async function loadTexts(language: Language = LANGUAGE): Promise<void> {
  ({ texts } = await catalogues[language]());
}
