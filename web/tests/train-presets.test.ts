import { beforeAll, expect, test } from 'vitest';
import { Plan, PRESETS } from '../src/features/train/plan.svelte';
import { recipeKeys } from '../src/state/recipe_keys.svelte';
import { times } from './train-times';

function planWithTimes(): Plan {
  const plan = new Plan();
  plan.time.set(times);
  return plan;
}

beforeAll(() => {
  recipeKeys.keys = [
    { key: 'stage', default: 'finetune' },
    { key: 'image_size', default: null },
  ] as never;
});

test('a preset sets keys of the recipe, and another one resets them', () => {
  const plan = planWithTimes();
  expect(plan.preset).toBe('best');
  plan.set('seed', 3);
  plan.choosePreset('first-look');
  expect([plan.preset, plan.recipe]).toEqual(['first-look', { seed: 3, stage: 'instant', image_size: 112 }]);
  expect(plan.changesBesidePreset).toEqual({ seed: 3 });
  plan.choosePreset('good');
  expect([plan.preset, plan.recipe]).toEqual(['good', { seed: 3, stage: 'instant' }]);
  plan.choosePreset('best');
  expect([plan.preset, plan.recipe]).toEqual(['best', { seed: 3 }]);
});

test('a first look is offered only if the server says so, and is restored from the history', () => {
  const plan = new Plan();
  expect(PRESETS.map((preset) => plan.isOffered(preset))).toEqual([false, true, true]); // times are not known yet
  plan.time.set(times);
  expect(PRESETS.map((preset) => plan.isOffered(preset))).toEqual([true, true, true]);
  plan.time.set({ ...times, presets: times.presets.slice(2) });
  expect(PRESETS.map((preset) => plan.isOffered(preset))).toEqual([false, false, true]);
  const first = planWithTimes();
  first.choosePreset('first-look');
  const again = new Plan();
  again.restore(first.formState);
  expect(again.preset).toBe('first-look');
});

test('a stated image size is not that of a first look', () => {
  const plan = planWithTimes();
  plan.set('image_size', 112);
  plan.choosePreset('good');
  expect([plan.preset, plan.changesBesidePreset]).toEqual(['good', { image_size: 112 }]);
});
