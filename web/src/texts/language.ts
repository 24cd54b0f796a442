// The language of the pages. Everything that depends on it besides the texts is here: plurals, numbers and dates.
// CONTRIBUTING.md says how to add a language.

/** The languages of the pages, by the tags that the server knows, each with its name in itself. */
export const LANGUAGES = { en: 'English', de: 'Deutsch' } as const;
export type Language = keyof typeof LANGUAGES;

const FORMATS: Readonly<Record<Language, string>> = { en: 'en-US', de: 'de-DE' };
const COOKIE = 'coverslip-language'; // requests carry it, so that the server answers in this language too
const YEAR = 365 * 24 * 60 * 60;

const isLanguage = (tag: string): tag is Language => tag in LANGUAGES;

/** The language that the server wrote into the page: that of the cookie, or the browser's preferred language. */
const tag = typeof document === 'undefined' ? 'en' : document.documentElement.lang;
export const LANGUAGE: Language = isLanguage(tag) ? tag : 'en';

/** Remember a language, for all pages of this server, and load the page in it. */
export function choose(language: Language): void {
  document.cookie = `${COOKIE}=${language}; path=/; max-age=${YEAR}; samesite=lax`;
  window.location.reload();
}

/** A text for each plural category of a language. English has `one` and `other`, Polish `one`, `few` and `many` too. */
export type PluralForms = { readonly other: string } & {
  readonly [category in Exclude<Intl.LDMLPluralRule, 'other'>]?: string;
};

/** The formats of one language, given as a BCP 47 tag. */
export function formatsOf(language: string) {
  const rules = new Intl.PluralRules(language);
  const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
  const compact = new Intl.NumberFormat(language, { notation: 'compact', compactDisplay: 'long' });
  const day = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short', year: 'numeric' });
  const time = new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const conjunction = new Intl.ListFormat(language, { type: 'conjunction' });
  const clock = new Intl.DateTimeFormat(language, {
    ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
  });
  return {
    /** The form for this number. It holds the whole phrase, with the number. */
    plural: (n: number, forms: PluralForms): string => forms[rules.select(n)] ?? forms.other,
    /** A whole number: `12,000`. */
    count: (n: number): string => whole.format(n),
    /** A number with exactly these digits after the point: `0.950`. */
    decimal: (value: number, digits: number): string =>
      value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }),
    /** A number with at most these digits after the point: `0.95`. */
    upTo: (value: number, digits: number): string =>
      value.toLocaleString(language, { maximumFractionDigits: digits }),
    /** A share from 0 to 1 in percent: `95.0%`. */
    percentage: (share: number, digits: number): string =>
      share.toLocaleString(language, {
        ...{ style: 'percent', minimumFractionDigits: digits, maximumFractionDigits: digits },
      }),
    /** A share from 0 to 1 in percent, with at most these digits after the point: `12.5%`. */
    percentageUpTo: (share: number, digits: number): string =>
      share.toLocaleString(language, { style: 'percent', maximumFractionDigits: digits }),
    /** A large number in words: `4.1 million`. */
    inWords: (n: number): string => compact.format(n).replace(/ /g, '\u00a0'),
    /** A number with its unit: `5.3 MB`. */
    unit: (value: number, unit: string, digits: number, display: 'short' | 'long' = 'short'): string =>
      value.toLocaleString(language, {
        ...{ style: 'unit', unit, unitDisplay: display, maximumFractionDigits: digits },
      }),
    /** Phrases in a sentence: `a, b, and c`. */
    list: (phrases: readonly string[]): string => conjunction.format(phrases),
    /** A date whose month is a word, so that no reader takes it for the day: `Nov 25, 2026`. */
    date: (date: Date): string => day.format(date),
    /** A time of day of 24 hours: `15:04`. */
    time: (date: Date): string => time.format(date),
    /** A time of day with seconds: `15:04:30`. */
    clock: (date: Date): string => clock.format(date),
  };
}

export const {
  plural,
  count,
  decimal,
  upTo,
  percentage,
  percentageUpTo,
  inWords,
  unit,
  list,
  date,
  time,
  clock,
} = formatsOf(FORMATS[LANGUAGE]);
