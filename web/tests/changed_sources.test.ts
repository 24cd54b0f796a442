import { expect, test } from 'vitest';
import { withChanges } from '../src/features/datasets/add/changed_sources';

const source = (path: string, domain: string | null = null) => ({ path, domain });
const before = [source('/a', 'A'), source('/b')];

test('domains that others named meanwhile stay, unless they are edited too', () => {
  const saved = [source('/a', 'Bonn'), source('/b', 'Ulm')];
  expect(withChanges(saved, before, [source('/a', 'Kiel'), source('/b')])).toEqual([
    source('/a', 'Kiel'),
    source('/b', 'Ulm'),
  ]);
});

test('sources that others added stay, and those that they removed do not return', () => {
  const saved = [source('/b'), source('/c', 'C')];
  const edited = [...before, source('/d', 'D')];
  expect(withChanges(saved, before, edited)).toEqual([source('/b'), source('/d', 'D'), source('/c', 'C')]);
  expect(withChanges(saved, before, [source('/a', 'A')])).toEqual([source('/c', 'C')]);
});

test('a source that two people added has the domain of the later edit', () => {
  const saved = [...before, source('/c', 'C')];
  expect(withChanges(saved, before, [...before, source('/c')]).at(-1)).toEqual(source('/c', 'C'));
  expect(withChanges(saved, before, [...before, source('/c', 'D')]).at(-1)).toEqual(source('/c', 'D'));
});
