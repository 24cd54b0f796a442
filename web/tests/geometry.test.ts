import { expect, test } from 'vitest';
import {
  layOut,
  layOutList,
  movedBy,
  rowsInSight,
  scrolledFrom,
  scrolledTo,
  scrollScale,
  shownLength,
} from '../src/images/gallery/geometry';

test('cells fill the width', () => {
  const wall = layOut(100_000, 1000, 120, 4);
  expect(wall.columns).toBe(8);
  expect(wall.cell * 8 + 4 * 7).toBeLessThanOrEqual(1000);
  expect(wall.rows).toBe(12_500);
});

test('text below or beside the pictures makes rows higher', () => {
  expect(layOut(100, 1000, 120, 4, 58).pitch).toBe(layOut(100, 1000, 120, 4).pitch + 58);
  expect(layOutList(100, 56, 4)).toMatchObject({ columns: 1, rows: 100, pitch: 60 });
});

test('a window narrower than a cell has one column', () => {
  expect(layOut(3, 20, 120, 4)).toMatchObject({ columns: 1, rows: 3, cell: 20 });
});

test('visible rows', () => {
  const wall = layOut(100, 96, 30, 3); // 3 columns of 30 px, 34 rows, pitch 33 px
  expect(wall.pitch).toBe(33);
  expect(rowsInSight(wall, 0, 66)).toEqual([0, 1]);
  expect(rowsInSight(wall, 33, 67)).toEqual([1, 3]);
  expect(rowsInSight(wall, 0, 66, 2)).toEqual([0, 3]);
  expect(rowsInSight(wall, 99_999, 66)[1]).toBe(33);
});

test('an empty gallery has no rows', () => {
  const [first, last] = rowsInSight(layOut(0, 96, 30, 3), 0, 66);
  expect(last).toBeLessThan(first);
});

test('scrolling uses the smallest distance', () => {
  const wall = layOut(100, 96, 30, 3);
  expect(scrolledTo(wall, 0, 50, 66)).toBe(0);
  expect(scrolledTo(wall, 3, 33, 66)).toBe(33);
  expect(scrolledTo(wall, 9, 0, 66)).toBe(4 * 33 - 66);
});

test('keys stay in the gallery and in their column', () => {
  const wall = layOut(10, 96, 30, 3);
  expect(movedBy(wall, 0, 'ArrowLeft', 2)).toBe(0);
  expect(movedBy(wall, 4, 'ArrowDown', 2)).toBe(7);
  expect(movedBy(wall, 8, 'ArrowDown', 2)).toBe(8);
  expect(movedBy(wall, 1, 'ArrowUp', 2)).toBe(1);
  expect(movedBy(wall, 1, 'PageDown', 2)).toBe(7);
  expect(movedBy(wall, 7, 'PageDown', 2)).toBe(9);
  expect(movedBy(wall, 5, 'End', 2)).toBe(9);
  expect(movedBy(wall, 5, 'x', 2)).toBeNull();
});

test('a list that is too high for an element is scrolled by rows and by the scroll bar', () => {
  const [length, height] = [65_000_000, 800];
  const last = shownLength(length) - height; // largest `scrollTop`
  expect(last).toBeLessThan(16_000_000);
  expect(scrolledFrom({ shown: 0, top: 0 }, last, length, height)).toEqual({
    shown: last,
    top: length - height,
  });
  const middle = scrolledFrom({ shown: 0, top: 0 }, last / 2, length, height);
  expect(middle.top).toBeCloseTo((length - height) / 2);
  const step = scrolledFrom(middle, middle.shown + 100, length, height);
  expect(step.top - middle.top).toBeCloseTo(100); // a step of the wheel
  expect(scrolledFrom(step, 0, length, height)).toEqual({ shown: 0, top: 0 });
});

test('a list that fits is scrolled as usual', () => {
  expect(shownLength(14_000_000)).toBe(14_000_000);
  expect(scrollScale(14_000_000, 800)).toBe(1);
  expect(scrolledFrom({ shown: 0, top: 0 }, 1234, 14_000_000, 800)).toEqual({ shown: 1234, top: 1234 });
});
