import { expect, test } from 'vitest';
import {
  advanced,
  all,
  cleared,
  clicked,
  selectedIndices,
  emptySelection,
  isSelected,
  nSelected,
  remaining,
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

test('after images left the list, the next remaining image is selected', () => {
  const at = (before: number[], place: number, after: number[]) =>
    remaining(Uint32Array.from(before), place, Uint32Array.from(after));
  expect(at([10, 11, 12, 13], 1, [12, 13])).toBe(0); // 10 was relabeled before, 11 was confirmed
  expect(at([10, 11, 12, 13], 1, [10, 12, 13])).toBe(1);
  expect(at([10, 11, 12, 13], 1, [10, 11, 12, 13])).toBe(1);
  expect(at([10, 11], 1, [10])).toBe(0);
  expect(at([10], 0, [])).toBe(-1);
});
