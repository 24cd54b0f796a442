import { expect, test } from 'vitest';
import { fitted, moved, zoomed } from '../src/images/viewer/zoom';

test('a picture is fitted and centered', () => {
  expect(fitted(1000, 500, 500, 500)).toEqual({ scale: 0.5, x: 0, y: 125 });
  expect(fitted(10, 10, 500, 500).scale).toBe(8);
});

test('zooming keeps the point under the pointer', () => {
  const before = { scale: 1, x: 20, y: 10 };
  const after = zoomed(before, 2, 120, 60);
  expect(after.scale).toBe(2);
  expect((120 - after.x) / after.scale).toBe(100);
  expect((60 - after.y) / after.scale).toBe(50);
  expect(zoomed(before, 1e9, 0, 0).scale).toBe(64);
});

test('moving keeps the scale', () => {
  expect(moved({ scale: 2, x: 20, y: 10 }, -5, 7)).toEqual({ scale: 2, x: 15, y: 17 });
});
