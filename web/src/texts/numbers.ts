// Numbers as people read them; results by the same rules as in a run's report.

const whole = new Intl.NumberFormat('en');

export function count(n: number): string {
  return whole.format(n);
}

/** `1 image`, `2 images`; of a number, or of one that is written already. */
export function counted(n: number | string, one: string, many: string): string {
  const written = typeof n === 'number' ? count(n) : n;
  return `${written} ${written === '1' ? one : many}`;
}

export function bytes(n: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (n >= 1000 && unit < units.length - 1) {
    n /= 1000;
    unit += 1;
  }
  return `${unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[unit]}`;
}

/** A length of time, said roughly: nobody plans by the second. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A share said roughly, as of work done. */
export function roughPercent(share: number): string {
  const value = share * 100;
  return `${value > 0 && value < 10 ? value.toFixed(1) : Math.round(value)}%`;
}

/** A day, and the time where it was today. */
export function moment(iso: string, now = new Date()): string {
  const date = new Date(iso);
  const isToday = date.toDateString() === now.toDateString();
  return isToday
    ? date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
    : date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
}

/** As the report rounds: 0.5625, a tie, to the even 0.562, where toFixed says 0.563. */
export function fixed(value: number, digits: number): string {
  // A tie is an odd multiple of a power of two: this product is exact.
  const isTie = Math.abs(value * 2 ** (digits + 1)) % 2 === 1;
  if (!isTie) return value.toFixed(digits);
  const below = Math.floor(value * 10 ** digits);
  return ((below + Math.abs(below % 2)) / 10 ** digits).toFixed(digits);
}

/** 0.951 as '0.951', -0.951 as '−0.951'; what rounds to zero has no sign. */
function plain(value: number, digits = 3): string {
  const size = fixed(Math.abs(value), digits);
  return value < 0 && Number(size) !== 0 ? `−${size}` : size;
}

/** 0.951 as '0.951'; what could not be had is a dash. */
export function score(value: number | null | undefined, digits = 3): string {
  return value === null || value === undefined ? '–' : plain(value, digits);
}

/** 0.951 as '95.1%': rounded as the share itself is by `score`, never up to a perfect 100. */
export function percent(value: number | null | undefined, digits = 1): string {
  if (value === null || value === undefined) return '–';
  const shown = (100 * Number(fixed(value, digits + 2))).toFixed(digits);
  const perfect = (100).toFixed(digits);
  const below = (100 - 10 ** -digits).toFixed(digits);
  return `${value === 1 ? '100' : shown === perfect ? below : shown}%`;
}

/** The ends of a 95% confidence interval: '95% CI 0.850 to 0.930'; empty without one. */
export function interval(low: number | null | undefined, high: number | null | undefined): string {
  if (low === null || low === undefined || high === null || high === undefined) return '';
  return `95% CI ${plain(low)} to ${plain(high)}`;
}

/** '0.891 (95% CI 0.850 to 0.930)', or the number alone. */
export function withInterval(
  value: number | null | undefined,
  low: number | null | undefined,
  high: number | null | undefined,
): string {
  const ends = interval(low, high);
  return ends && value !== null && value !== undefined ? `${plain(value)} (${ends})` : score(value);
}

/** A difference with its sign, '+0.012' or '−0.012', or '0.000' if it rounds to zero; a dash if there is none. */
export function signed(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined) return '–';
  const size = fixed(Math.abs(value), digits);
  return Number(size) === 0 ? size : `${value < 0 ? '−' : '+'}${size}`;
}

/** A p-value: 'p = 0.034', 'p < 0.001'; empty if there is none. */
export function pValue(p: number | null | undefined): string {
  if (p === null || p === undefined) return '';
  return p < 0.001 ? 'p\u00a0<\u00a00.001' : `p\u00a0=\u00a0${fixed(p, p < 0.1 ? 3 : 2)}`;
}

/** A learning rate: '9.1e-4', '0'. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  return value === 0 ? '0' : value.toExponential(1);
}

/** A large number as '4.1 million'. */
export function short(n: number): string {
  if (n >= 1e9) return `${(n / 1e9).toFixed(1)}\u00a0billion`;
  if (n >= 1e6) return `${(n / 1e6).toFixed(n < 1e8 ? 1 : 0)}\u00a0million`;
  if (n >= 1e3) return `${Math.round(n / 1e3)}\u00a0thousand`;
  return String(n);
}

/** Seconds since 1970 as the time of day. */
export function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB');
}
