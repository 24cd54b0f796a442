import { expect, test } from 'vitest';
import { mostConfused } from '../src/charts/confusion';
import { matching } from '../src/ui/search';

test('names match all words in any case and order', () => {
  const names = ['Copepod calanoid', 'copepod cyclopoid', 'Diatom chain'];
  const sought = (words: string) => matching(names, (name) => name, words);
  expect(sought('cope')).toEqual(names.slice(0, 2));
  expect(sought('CHAIN dia')).toEqual(['Diatom chain']);
  expect(sought('  ')).toEqual(names);
  expect(sought('fish')).toEqual([]);
});

test('the most confused classes are next to each other', () => {
  const counts = [
    [5, 0, 1, 4],
    [0, 9, 0, 1],
    [0, 2, 8, 0],
    [6, 0, 0, 2],
  ];
  expect(mostConfused(counts, 2)).toEqual([0, 3]);
  expect(mostConfused(counts, 4)).toEqual([0, 3, 1, 2]);
});
