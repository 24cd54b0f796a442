// Numbers as text. Results are rounded as in the report of a run.
import type { MetricValue } from '../api/evaluations';
import * as language from './language';

export { count } from './language';

const confidenceInterval: Record<language.Language, (low: string, high: string) => string> = {
  en: (low, high) => `95% CI ${low} to ${high}`,
  de: (low, high) => `95-%-KI ${low} bis ${high}`,
};

const tooFewImages: Record<language.Language, (n: number | null) => string> = {
  en: (n) => (n === null ? 'too few images' : `too few images: n = ${language.count(n)}`),
  de: (n) => (n === null ? 'zu wenige Bilder' : `zu wenige Bilder: n = ${language.count(n)}`),
};

export function bytes(n: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  let k = 0;
  while (n >= 1000 && k < units.length - 1) {
    n /= 1000;
    k += 1;
  }
  return k === 0 ? language.unit(n, 'byte', 0, 'long') : language.unit(n, units[k]!, n >= 100 ? 0 : 1);
}

/** A rough duration: `48 s`, `3 min`, `2 h 10 min`. The unit symbols are those of the SI, the same in all languages. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (seconds < 3600) return `${minutes} min`;
  return `${language.count(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

/** A share as a rough percentage, such as the progress of a task. */
export function roughPercent(share: number): string {
  return language.percentage(share, share > 0 && share < 0.1 ? 1 : 0);
}

/** An intensity of an image: whole numbers exactly, `65,535`. */
export const intensity = (value: number): string =>
  Number.isInteger(value) ? language.count(value) : number(value);

/** A number for a chart or a table of facts: `0.5`, `12,000`. */
export const number = (value: number): string => language.upTo(Number(value.toPrecision(4)), 6);

/** A length, such as the side of a pixel: `0.325 µm`. */
export const micrometers = (um: number): string => `${number(um)} µm`;

/** The date, or the time if it is today. */
export function moment(iso: string, now = new Date()): string {
  const date = new Date(iso);
  return date.toDateString() === now.toDateString() ? language.time(date) : language.date(date);
}

/** Round as the report does: 0.5625 is a tie and becomes 0.562 (half to even), where `toFixed` gives 0.563. */
function rounded(value: number, digits: number): string {
  // A tie is an odd multiple of a power of two: this product is exact.
  const isTie = Math.abs(value * 2 ** (digits + 1)) % 2 === 1;
  if (!isTie) return value.toFixed(digits);
  const below = Math.floor(value * 10 ** digits);
  return ((below + Math.abs(below % 2)) / 10 ** digits).toFixed(digits);
}

/** A rounded number: `0.562`. */
export const fixed = (value: number, digits: number): string =>
  language.decimal(Number(rounded(value, digits)), digits);

/** `0.951` or `−0.951`. A number that rounds to zero has no sign. */
function plain(value: number, digits = 3): string {
  const size = Number(rounded(Math.abs(value), digits));
  return `${value < 0 && size !== 0 ? '−' : ''}${language.decimal(size, digits)}`;
}

/** Digits after the decimal point, as in reports: fewer if the interval is so wide that the value says little. */
export const digitsOf = (low: number | null | undefined, high: number | null | undefined): number =>
  typeof low === 'number' && typeof high === 'number' && high - low > 0.3 ? 2 : 3;

/** `0.951`; a dash if there is no value. */
export function score(value: number | null | undefined, digits = 3): string {
  return value === null || value === undefined ? '–' : plain(value, digits);
}

/** A metric and its interval; only the upper end if the interval shows no more. */
export function metricWords(metric: MetricValue): { value: string; interval: string } {
  const digits = digitsOf(metric.low, metric.high);
  if (metric.is_bound) {
    // The end is rounded up.
    const scale = 10 ** digits;
    const end = metric.high == null ? null : Math.ceil(Number((metric.high * scale).toFixed(6))) / scale;
    return { value: `≤\u00a0${score(end, digits)}`, interval: '' };
  }
  return {
    value: score(metric.value, digits),
    interval: interval(metric.low, metric.high, digits, metric.n_images),
  };
}

/** 0.951 as `95.1%`. It is rounded like `score`, and only 1 is shown as 100%. */
export function percent(value: number | null | undefined, digits = 1): string {
  if (value === null || value === undefined) return '–';
  if (value === 1) return language.percentage(1, 0);
  const highest = (100 - 10 ** -digits) / 100;
  return language.percentage(Math.min(Number(rounded(value, digits + 2)), highest), digits);
}

/**
 * The ends of a 95% confidence interval: '95% CI 0.850 to 0.930'; empty without one. If it contains most values from
 * 0 to 1, it is a sentence, as in reports.
 */
export function interval(
  low: number | null | undefined,
  high: number | null | undefined,
  digits = digitsOf(low, high),
  nImages?: number | null,
): string {
  if (low === null || low === undefined || high === null || high === undefined) return '';
  if (isUseless(low, high)) return tooFewImages[language.LANGUAGE](nImages ?? null);
  return confidenceInterval[language.LANGUAGE](plain(low, digits), plain(high, digits));
}

/** Whether an interval contains most values from 0 to 1. */
const isUseless = (low: number, high: number): boolean => low >= 0 && high <= 1 && high - low >= 0.8;

/** The ends of an interval: '0.85–0.93'; null without one. */
export function range(
  low: number | null | undefined,
  high: number | null | undefined,
  digits = digitsOf(low, high),
): string | null {
  if (low === null || low === undefined || high === null || high === undefined) return null;
  return `${plain(low, digits)}–${plain(high, digits)}`;
}

/** A difference with its sign, '+0.012' or '−0.012', or '0.000' if it rounds to zero; a dash if there is none. */
export function signed(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined) return '–';
  const size = Number(rounded(Math.abs(value), digits));
  return `${size === 0 ? '' : value < 0 ? '−' : '+'}${language.decimal(size, digits)}`;
}

/** A p-value: 'p = 0.034', 'p < 0.001'; empty if there is none. */
export function pValue(p: number | null | undefined): string {
  if (p === null || p === undefined) return '';
  return p < 0.001 ? `p\u00a0<\u00a0${fixed(0.001, 3)}` : `p\u00a0=\u00a0${fixed(p, p < 0.1 ? 3 : 2)}`;
}

/** A learning rate: '9.1e-4', '0'. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  return value === 0 ? '0' : value.toExponential(1); // the notation of recipes
}

/** A large number: `4.1 million`. */
export const short = language.inWords;

/** Seconds since 1970 as the time of day. */
export const clock = (seconds: number): string => language.clock(new Date(seconds * 1000));
