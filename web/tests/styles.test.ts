import { expect, test } from 'vitest';
import tokens from '../../src/coverslip/reports/tokens.css?raw';

const files = Object.entries(
  import.meta.glob('../src/**/*.{svelte,css}', { query: '?raw', import: 'default', eager: true }),
).map(([path, text]) => [path.replace('../src/', ''), String(text)] as const);

/** Matches of a pattern in the sources, as `file: text`. */
function found(pattern: RegExp, isWrong: (value: string, text: string) => boolean): string[] {
  return files.flatMap(([file, text]) =>
    [...text.matchAll(pattern)]
      .filter((match) => isWrong(match[1] ?? '', text))
      .map((match) => `${file}: ${match[0]}`),
  );
}

test('every CSS variable is defined', () => {
  const set = new Set(
    [tokens, ...files.map(([, text]) => text)].flatMap((text) =>
      [...text.matchAll(/(--[\w-]+)\s*[:=]/g)].map((match) => match[1]!),
    ),
  );
  expect(found(/var\((--[\w-]+)/g, (name) => !set.has(name) && !/--class-$/.test(name))).toEqual([]);
});

test('type has the six sizes and the two weights of the tokens', () => {
  const isSize = (value: string) => value.startsWith('var(--type-') || value === 'inherit';
  expect(found(/font-size: ([^;]+);/g, (value) => !isSize(value))).toEqual([]);
  expect(found(/font-weight: ([^;]+);/g, (value) => !/^(var\(--weight|100 900|inherit)/.test(value))).toEqual(
    [],
  );
  expect(
    found(/\bfont: ([^;`]+);/g, (value) => value !== 'inherit' && !value.includes('var(--type-')),
  ).toEqual([]);
  expect(new Set(tokens.match(/--type-\d+/g))).toEqual(
    new Set([12, 13, 15, 18, 24, 36].map((n) => `--type-${n}`)),
  );
});

test('class colors are used by index, and charts do not use the accent color', () => {
  const isForClasses = (file: string) => file.startsWith('images/') || file.startsWith('features/start/');
  const named = found(/var\((--class-\d)/g, () => true).filter((place) => !isForClasses(place));
  expect(named).toEqual([]);
  const charts = found(/var\((--accent)\)/g, () => true).filter((place) => place.startsWith('charts/'));
  expect(charts).toEqual([]);
});

/** Relative luminance of a color `#rrggbb` (WCAG 2). */
function luminance(color: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const c = parseInt(color.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high! + 0.05) / (low! + 0.05);
}

test('lines of classes have a contrast of 3 to every ground, in light and dark', () => {
  /** The color of a token in light and dark. */
  function colorsOf(name: string): [string, string] {
    const [light, dark] = tokens.match(new RegExp(`--${name}: .*;`))?.[0].match(/#[0-9a-f]{6}/g) ?? [];
    return [light!, dark ?? light!];
  }
  for (let index = 0; index < 8; index++)
    for (const ground of ['ground', 'surface', 'raised', 'sunken'])
      for (const scheme of [0, 1]) {
        const value = contrast(colorsOf(`class-${index}-line`)[scheme]!, colorsOf(ground)[scheme]!);
        expect(value, `class ${index} on ${ground}, ${['light', 'dark'][scheme]}`).toBeGreaterThanOrEqual(3);
      }
});
