import { expect, test } from 'vitest';
import { clipOf, colorsOf, placeholderOf } from '../src/images/gallery/placeholders';

const numbers = new Uint8Array([
  ...[3, 0, 0, 0, 200, 30, 90, 128],
  ...[7, 0, 0, 0, 0, 0, 0, 160],
  ...[0, 1, 0, 0, 9, 9, 9, 128],
]);
const colors = colorsOf(numbers.buffer);

test('a placeholder has the color and shape of its image', () => {
  expect(colors.n).toBe(3);
  expect(placeholderOf(colors, 3)).toEqual({ color: 'rgb(200 30 90)', clip: 'none' });
  expect(placeholderOf(colors, 7)).toEqual({ color: 'rgb(0 0 0)', clip: 'inset(25.00% 0)' });
  expect(placeholderOf(colors, 256)?.color).toBe('rgb(9 9 9)');
  expect(clipOf(96)).toBe('inset(0 25.00%)');
});

test('images without a color have no placeholder', () => {
  for (const row of [1, 5, 255, 300]) expect(placeholderOf(colors, row)).toBeNull();
  expect(placeholderOf(colorsOf(new ArrayBuffer(0)), 1)).toBeNull();
});
