import { expect, test } from 'vitest';
import { problemOf } from '../src/api/client';
import type { RecipeKey } from '../src/api/runs';
import { recipeKeys } from '../src/state/recipe_keys.svelte';
import { texts } from '../src/texts';
import { problemText, remedyText } from '../src/texts/problems';

const named = (key: string, title: string, choices: [string, string][] = []) =>
  ({ key, title, choices: choices.map(([value, title]) => ({ value, title })) }) as RecipeKey;

recipeKeys.set(
  [],
  [named('split.folds', 'Folds'), named('class_weights', 'Rare classes', [['balanced', 'count more']])],
);
const nameOf = (key: string, value: unknown) => recipeKeys.named(key, value);

test('settings have the names of the training page', () => {
  expect(texts.remedies.apply(...values('split.folds', 5))).toBe('Set “Folds” to “5”');
  expect(remedyText({ kind: 'set', key: 'class_weights', value: 'balanced' }, nameOf)).toBe(
    'On the training page, set “Rare classes” to “count more”.',
  );
  expect(values('learning_rate', 0.0001)).toEqual(['Learning rate', '0.0001']);
  expect(values('channels', [0, 1])).toEqual(['Channels', '[0,1]']);
});

test('remedies of the command line have no text', () => {
  expect(remedyText({ kind: 'choose-other', of: 'output' }, nameOf)).toBe('');
  expect(remedyText({ kind: 'resume', run: 'runs/a', of: 'run' }, nameOf)).toBe('');
});

test('a problem has its remedies', () => {
  const body = { title: 'It leaks.', do: 'Keep it.', remedies: [{ kind: 'allow-leakage' }] };
  expect(problemText(problemOf(422, '', body)).remedies).toEqual([{ kind: 'allow-leakage' }]);
});

function values(key: string, value: unknown): [string, string] {
  const { title, value: shown } = nameOf(key, value);
  return [title, shown];
}
