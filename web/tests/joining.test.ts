import { expect, test } from 'vitest';
import {
  withJoinedClasses,
  withJoinedGroups,
  withSeparateClasses,
  withSeparateGroups,
} from '../src/features/datasets/joining';

const LABELS = ['1', '01', '1.0', 'cell', 'Cell'];

test('spellings of a class are one class in training, until they are separated', () => {
  const merge = { '1': ['1', '01', '1.0'] };
  const before = { merge: {}, drop: ['Cell'], rename: { cell: 'lymphocyte' } };
  const joined = withJoinedClasses(LABELS, before, merge);
  expect(joined).toEqual({ merge, drop: ['Cell'], rename: { cell: 'lymphocyte' } });
  const changed = { ...joined, rename: { cell: 'monocyte' } }; // by somebody else
  expect(withSeparateClasses(LABELS, changed, before, merge)).toEqual({
    ...before,
    rename: { cell: 'monocyte' },
  });
});

test('classes are joined by their names in training', () => {
  const before = { merge: {}, drop: [], rename: { cell: 'T cell', Cell: 'T-cell' } };
  const merge = { 'T cell': ['T cell', 'T-cell'] };
  const joined = withJoinedClasses(LABELS, before, merge);
  expect(joined).toEqual({ merge: { 'T cell': ['cell', 'Cell'] }, drop: [], rename: {} });
  expect(withSeparateClasses(LABELS, joined, before, merge)).toEqual(before);
});

test('a join of groups keeps what was joined before', () => {
  const before = { P1: ['P1', 'p1'], P2: ['P2', 'p2'] };
  const merge = { P01: ['P1', 'P01'] };
  const joined = withJoinedGroups(before, merge);
  expect(joined).toEqual({ P01: ['P1', 'p1', 'P01'], P2: ['P2', 'p2'] });
  const changed = { ...joined, P3: ['P3', 'p3'] };
  expect(withSeparateGroups(changed, before, merge)).toEqual({ ...before, P3: ['P3', 'p3'] });
});
