import { expect, test } from 'vitest';
import { plain } from '../src/state/plain';
import type { RecipeKey } from '../src/api/runs';
import { recipeKeys } from '../src/state/recipe_keys.svelte';

const named = (key: string, title: string, choices: [string, string][] = []) =>
  ({ key, title, choices: choices.map(([value, title]) => ({ value, title })) }) as RecipeKey;

recipeKeys.set(
  [],
  [
    named('split.folds', 'Folds'),
    named('balance', 'Rare classes', [['weights', 'mistakes on rare ones count more']]),
    named('device', 'Computed on'),
  ],
);

test('options of the command line are said in the words of the pages', () => {
  expect(plain('Few groups. --set split.folds=5 tests on each once.')).toBe(
    'Few groups. “Folds: 5” tests on each once.',
  );
  expect(plain('Test each once (split.folds=5), or balance=weights.')).toBe(
    'Test each once (“Folds: 5”), or “Rare classes: mistakes on rare ones count more”.',
  );
  expect(plain('Where k=5 is meant.')).toBe('Where k=5 is meant.');
  expect(plain('Lower it, for example --set learning_rate=0.0001.')).toBe(
    'Lower it, for example “Learning rate: 0.0001”.',
  );
  expect(plain('Judge by macro F1, and consider balance: weights in the recipe.')).toBe(
    'Judge by macro F1, and consider “Rare classes: mistakes on rare ones count more”.',
  );
  expect(plain('Choose one with --set device=..., or go.')).toBe('Choose one at “Computed on”, or go.');
  expect(plain('Say so (--group COLUMN): else it flatters (a lot).')).toBe(
    'Say so: else it flatters (a lot).',
  );
});

test('commands are left out', () => {
  expect(plain('`coverslip train` therefore tests in folds.')).toBe('Training therefore tests in folds.');
});
