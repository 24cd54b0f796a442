import { expect, test } from 'vitest';
import {
  advanced,
  all,
  cleared,
  clicked,
  concerned,
  nothing,
  remaining,
} from '../src/images/gallery/selection';

const members = (s: { chosen: ReadonlySet<number> }) => [...s.chosen].sort((a, b) => a - b);

test('click, Ctrl and Shift', () => {
  let s = clicked(nothing, 4);
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

test('after a label the next cell is chosen, at the end the last stays', () => {
  const s = clicked(clicked(nothing, 2), 5, { isRange: true });
  expect(members(advanced(s, 10))).toEqual([6]);
  expect(members(advanced(clicked(nothing, 9), 10))).toEqual([9]);
});

test('an action concerns the chosen, else the focus', () => {
  expect(concerned(clicked(nothing, 3), 10)).toEqual([3]);
  expect(concerned(cleared(clicked(nothing, 3)), 10)).toEqual([]);
  expect(concerned(all(nothing, 4), 4)).toEqual([0, 1, 2, 3]);
  expect(concerned(nothing, 4)).toEqual([]);
});

test('after images left the list, the next one that stays in it is chosen', () => {
  expect(remaining(['10', '11', '12', '13'], 1, ['12', '13'])).toBe(0); // 10 was relabeled before, 11 was confirmed
  expect(remaining(['10', '11', '12', '13'], 1, ['10', '12', '13'])).toBe(1);
  expect(remaining(['10', '11', '12', '13'], 1, ['10', '11', '12', '13'])).toBe(1);
  expect(remaining(['10', '11'], 1, ['10'])).toBe(0);
  expect(remaining(['10'], 0, [])).toBe(-1);
});
