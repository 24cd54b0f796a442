// A training done again: the recipe and the split of an earlier one, with the labels and images of now.
import { startRun, type Run, type RunDetail } from '../../api/runs';
import { recipeKeys } from '../../state/recipe_keys.svelte';
import { texts } from '../../texts';
import { nested, takenOver } from './recipe';

export async function trainAgain(run: RunDetail): Promise<Run> {
  await recipeKeys.load();
  const keys = recipeKeys.keys.map(({ key }) => key);
  return startRun({
    dataset_id: run.dataset_id ?? '',
    name: texts.runs.again.name(run.name).slice(0, 120),
    recipe: nested(takenOver(run.recipe, keys, true)),
    allow_leakage: false,
    again_of: run.id,
  });
}
