import { expect, test } from 'vitest';
import { clipOf, placeholderOf, nUnknown } from '../src/images/gallery/placeholders';

const colors = new Uint8Array([200, 30, 90, 128, 0, 0, 0, 160, 9, 9, 9, 0]);

test('a cell has the color and the shape of its image', () => {
  expect(placeholderOf(colors, 0)).toEqual({ color: 'rgb(200 30 90)', clip: 'none' });
  expect(placeholderOf(colors, 1)).toEqual({ color: 'rgb(0 0 0)', clip: 'inset(25.00% 0)' });
  expect(clipOf(96)).toBe('inset(0 25.00%)');
});

test('what is not known has none, nor what lies beyond', () => {
  expect(placeholderOf(colors, 2)).toBeNull();
  expect(placeholderOf(colors, 3)).toBeNull();
  expect(nUnknown(colors)).toBe(1);
});
