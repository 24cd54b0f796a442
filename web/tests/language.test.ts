import { expect, test } from 'vitest';
import { counts } from '../src/texts/en/counts';
import { formatsOf, plural } from '../src/texts/language';
import { bytes, duration, intensity, moment, roughPercent, score, signed } from '../src/texts/numbers';

test('English has a singular and a plural form', () => {
  expect([0, 1, 2, 1200].map(counts.images)).toEqual(['0 images', '1 image', '2 images', '1,200 images']);
  expect(plural(1, { other: 'any number' })).toBe('any number');
});

test('plural categories depend on the language', () => {
  const polish = formatsOf('pl');
  const images = (n: number) =>
    polish.plural(n, { one: `${n} obraz`, few: `${n} obrazy`, many: `${n} obrazów`, other: `${n} obrazu` });
  expect([1, 2, 4, 5, 12, 22, 25].map(images)).toEqual([
    ...['1 obraz', '2 obrazy', '4 obrazy', '5 obrazów', '12 obrazów', '22 obrazy', '25 obrazów'],
  ]);
});

test('numbers, shares and dates follow the language', () => {
  const [english, german] = [formatsOf('en-US'), formatsOf('de')];
  expect([english.decimal(0.95, 3), german.decimal(0.95, 3)]).toEqual(['0.950', '0,950']);
  expect([english.count(12_000), german.count(12_000)]).toEqual(['12,000', '12.000']);
  expect(english.percentage(0.951, 1)).toBe('95.1%');
  expect(german.percentage(0.951, 1)).toMatch(/^95,1\s%$/);
  expect(german.list(['Kanal 1', 'Ebene 2'])).toBe('Kanal 1 und Ebene 2');
  const date = new Date(2026, 10, 5, 15, 4);
  expect(english.date(date)).toBe('Nov 5, 2026');
  expect(german.date(date)).toMatch(/^5\. Nov/);
  expect(english.time(date)).toBe('15:04');
});

test('intensities are exact', () => {
  expect([255, 12_345, 65_535, 0.123456].map(intensity)).toEqual(['255', '12,345', '65,535', '0.1235']);
});

test('sizes, durations and moments are short', () => {
  expect([1, 999, 5_250, 123_456_789].map(bytes)).toEqual(['1 byte', '999 bytes', '5.3 kB', '123 MB']);
  expect([0.2, 48, 180, 7800].map(duration)).toEqual(['1 s', '48 s', '3 min', '2 h 10 min']);
  expect([0, 0.034, 0.5].map(roughPercent)).toEqual(['0%', '3.4%', '50%']);
  expect([score(-0.0001), score(-0.5), signed(0.25)]).toEqual(['0.000', '−0.500', '+0.250']);
  const now = new Date(2026, 10, 25, 18);
  expect(moment(new Date(2026, 10, 25, 9, 5).toISOString(), now)).toBe('09:05');
  expect(moment(new Date(2026, 10, 24, 9, 5).toISOString(), now)).toBe('Nov 24, 2026');
});
