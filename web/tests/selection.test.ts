import { expect, test } from 'vitest';
import {
  advanced,
  all,
  cleared,
  clicked,
  selectedIndices,
  emptySelection,
  firstSelected,
  isSelected,
  moved,
  nSelected,
} from '../src/images/gallery/selection';

const members = (s: { indices: ReadonlySet<number> }) => [...s.indices].sort((a, b) => a - b);

test('click, Ctrl and Shift', () => {
  let s = clicked(emptySelection, 4);
  expect(members(s)).toEqual([4]);
  s = clicked(s, 7, { isToggle: true });
  expect(members(s)).toEqual([4, 7]);
  s = clicked(s, 4, { isToggle: true });
  expect(members(s)).toEqual([7]);
  s = clicked(clicked(s, 7), 5, { isRange: true });
  expect(members(s)).toEqual([5, 6, 7]);
  s = clicked(s, 9, { isRange: true });
  expect(members(s)).toEqual([7, 8, 9]);
  expect(s.anchor).toBe(7);
});

test('after a label the next cell is selected; at the end the last one stays', () => {
  const s = clicked(clicked(emptySelection, 2), 5, { isRange: true });
  expect(members(advanced(s, 10))).toEqual([6]);
  expect(members(advanced(clicked(emptySelection, 9), 10))).toEqual([9]);
});

test('an action applies to the selected cells', () => {
  expect(selectedIndices(clicked(emptySelection, 3), 10)).toEqual([3]);
  expect(selectedIndices(cleared(clicked(emptySelection, 3)), 10)).toEqual([]);
  expect(selectedIndices(all(emptySelection), 4)).toEqual([0, 1, 2, 3]);
  expect(selectedIndices(emptySelection, 4)).toEqual([]);
});

test('all cells but some are selected', () => {
  const most = clicked(all(clicked(emptySelection, 3)), 2, { isToggle: true });
  expect([0, 1, 2, 3].map((index) => isSelected(most, index))).toEqual([true, true, false, true]);
  expect(nSelected(most, 1_000_000)).toBe(999_999);
  expect(selectedIndices(most, 4)).toEqual([0, 1, 3]);
  expect(nSelected(clicked(most, 2, { isToggle: true }), 4)).toBe(4);
  expect(selectedIndices(clicked(most, 2), 4)).toEqual([2]);
  expect(nSelected(cleared(most), 4)).toBe(0);
  expect(members(advanced(most, 4))).toEqual([3]);
});

test('the first selected cell', () => {
  expect(firstSelected(emptySelection, 4)).toBeNull();
  expect(firstSelected(clicked(clicked(emptySelection, 3), 1, { isToggle: true }), 4)).toBe(1);
  const most = clicked(all(emptySelection), 0, { isToggle: true });
  expect(firstSelected(most, 1_000_000)).toBe(1);
  expect(firstSelected(most, 1)).toBeNull();
});

test('a selection keeps its images in a changed list', () => {
  const rows = (...ids: number[]) => Uint32Array.from(ids);
  const second = clicked(emptySelection, 1);
  const later = moved(second, rows(10, 11), rows(8, 9, 10, 11));
  expect([members(later), later.focus]).toEqual([[3], 3]);
  const most = clicked(all(emptySelection), 1, { isToggle: true });
  expect(nSelected(moved(most, rows(10, 11), rows(8, 10, 11, 9)), 4)).toBe(1); // 8 and 9 were not in the list
});

test('if the image with the focus left the list, the next one gets the focus', () => {
  const focusAfter = (before: number[], place: number, after: number[]) =>
    moved(clicked(emptySelection, place), Uint32Array.from(before), Uint32Array.from(after)).focus;
  expect(focusAfter([10, 11, 12, 13], 1, [12, 13])).toBe(0); // 10 was relabeled before, 11 was confirmed
  expect(focusAfter([10, 11, 12, 13], 1, [10, 12, 13])).toBe(1);
  expect(focusAfter([10, 11, 12, 13], 1, [10, 11, 12, 13])).toBe(1);
  expect(focusAfter([10, 11], 1, [10])).toBe(0);
  expect(focusAfter([10], 0, [])).toBe(0);
});
