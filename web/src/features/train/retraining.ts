// A training done again: the recipe and the split of an earlier one, with the labels and images of now.
import {
  countImageChanges,
  listRuns,
  startRun,
  type ImageChanges,
  type Run,
  type RunDetail,
} from '../../api/runs';
import { recipeKeys } from '../../state/recipe_keys.svelte';
import { texts } from '../../texts';
import { nested, copiedSettings } from './recipe';

export type ChangeKind = keyof typeof texts.runs.retraining.endings;

const LONGEST = 120; // characters of a name

/** What the name of a training tells of these differences from the one that it repeats. */
export function changeKind({ n_added, n_relabeled, n_removed }: ImageChanges): ChangeKind {
  if (n_removed) return 'images';
  return !n_relabeled ? 'added' : n_added ? 'both' : 'labels';
}

export async function retrain(run: RunDetail): Promise<Run> {
  await recipeKeys.load();
  const ofDecision = recipeKeys.keys.filter(({ group }) => group === 'decision').map(({ key }) => key);
  const others = recipeKeys.keys.map(({ key }) => key).filter((key) => !ofDecision.includes(key));
  return startRun({
    dataset_id: run.dataset_id ?? '',
    name: await newName(run.name, changeKind(await countImageChanges(run.id))),
    // A threshold that was chosen since holds for that classifier alone.
    recipe: nested({
      ...copiedSettings(run.recipe, others, true),
      ...copiedSettings(run.requested_recipe, ofDecision, true),
    }),
    allow_leakage: false,
    again_of: run.id,
  });
}

/** The name of a training that repeats another one, numbered if a training has it already. */
export async function newName(name: string, changed: ChangeKind): Promise<string> {
  const taken = (await listRuns()).items.map(({ name }) => name);
  return nameOfRepeat(name, changed, taken);
}

export function nameOfRepeat(name: string, changed: ChangeKind, taken: readonly string[]): string {
  const endings = Object.values(texts.runs.retraining.endings).join('|');
  const first = name.replace(new RegExp(`, (${endings})( \\d+)?$`), '');
  for (let n = 1; ; n++) {
    const ending = `, ${texts.runs.retraining.endings[changed]}${n > 1 ? ` ${n}` : ''}`;
    const numbered = first.slice(0, LONGEST - ending.length) + ending;
    if (!taken.includes(numbered)) return numbered;
  }
}
