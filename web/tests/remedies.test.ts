import { expect, test } from 'vitest';
import { problemOf } from '../src/api/client';
import type { RecipeKey } from '../src/api/runs';
import { recipeKeys } from '../src/state/recipe_keys.svelte';
import { wordsOf } from '../src/texts/problems';
import { inWords, remedies } from '../src/texts/remedies';

const named = (key: string, title: string, choices: [string, string][] = []) =>
  ({ key, title, choices: choices.map(([value, title]) => ({ value, title })) }) as RecipeKey;

recipeKeys.set(
  [],
  [named('split.folds', 'Folds'), named('class_weights', 'Rare classes', [['balanced', 'count more']])],
);
const nameOf = (key: string, value: unknown) => recipeKeys.named(key, value);

test('a setting is called as on the training page', () => {
  expect(remedies.use(...values('split.folds', 5))).toBe('Use “Folds: 5”');
  expect(inWords({ kind: 'set', key: 'class_weights', value: 'balanced' }, nameOf)).toBe(
    'When you train: “Rare classes: count more”.',
  );
  expect(values('learning_rate', 0.0001)).toEqual(['Learning rate', '0.0001']);
  expect(values('channels', [0, 1])).toEqual(['Channels', '[0,1]']);
});

test('what is for the command line alone is not said', () => {
  expect(inWords({ kind: 'choose-other', of: 'output' }, nameOf)).toBe('');
  expect(inWords({ kind: 'resume', run: 'runs/a', of: 'run' }, nameOf)).toBe('');
});

test('a problem brings its remedies', () => {
  const body = { title: 'It leaks.', do: 'Keep it.', remedies: [{ kind: 'allow-leakage' }] };
  expect(wordsOf(problemOf(422, '', body)).remedies).toEqual([{ kind: 'allow-leakage' }]);
});

function values(key: string, value: unknown): [string, string] {
  const { title, value: shown } = nameOf(key, value);
  return [title, shown];
}
