// Training with the settings and split of an earlier training, on the current labels and images.
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

/** The kind of changes, for the name of the new training. */
export function changeKind({ n_added, n_relabeled, n_removed }: ImageChanges): ChangeKind {
  if (n_removed) return 'images';
  return !n_relabeled ? 'added' : n_added ? 'both' : 'labels';
}

export async function retrain(run: RunDetail): Promise<Run> {
  await recipeKeys.load();
  const ofDecision = recipeKeys.keys.filter(({ group }) => group === 'decision').map(({ key }) => key);
  const otherKeys = recipeKeys.keys.map(({ key }) => key).filter((key) => !ofDecision.includes(key));
  return startRun({
    dataset_id: run.dataset_id ?? '',
    name: await newName(run.name, changeKind(await countImageChanges(run.id))),
    // The threshold that was chosen after the training is valid for its classifier only.
    recipe: nested({
      ...copiedSettings(run.recipe, otherKeys, true),
      ...copiedSettings(run.requested_recipe, ofDecision, true),
    }),
    allow_leakage: false,
    repeats_run: run.id,
  });
}

/** Name of a training that repeats another one, with a number if the name exists. */
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
