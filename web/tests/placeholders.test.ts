import { expect, test } from 'vitest';
import { clipOf, placeholderOf, nMissing } from '../src/images/gallery/placeholders';

const colors = new Uint8Array([200, 30, 90, 128, 0, 0, 0, 160, 9, 9, 9, 0]);

test('a placeholder has the color and shape of its image', () => {
  expect(placeholderOf(colors, 0)).toEqual({ color: 'rgb(200 30 90)', clip: 'none' });
  expect(placeholderOf(colors, 1)).toEqual({ color: 'rgb(0 0 0)', clip: 'inset(25.00% 0)' });
  expect(clipOf(96)).toBe('inset(0 25.00%)');
});

test('images without a color have no placeholder', () => {
  expect(placeholderOf(colors, 2)).toBeNull();
  expect(placeholderOf(colors, 3)).toBeNull();
  expect(nMissing(colors)).toBe(1);
});
