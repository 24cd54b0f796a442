// The form of a new training: dataset, changed settings, and previews of the split and the time.
import {
  listColumns,
  listDatasets,
  type Dataset,
  type PresetTime,
  type SplitPreview,
} from '../../api/datasets';
import { Problem, problemFrom } from '../../api/client';
import { datasetTopic } from '../../api/events';
import { preview } from '../../api/previews';
import { listFindings } from '../../api/studies';
import { readJob } from '../../api/jobs';
import { listModels, startRun, type Model } from '../../api/runs';
import { recipeKeys } from '../../state/recipe_keys.svelte';
import { Resource } from '../../state/resource.svelte';
import { namesOf } from '../datasets/names';
import {
  changed,
  differing,
  hasCustomThreshold,
  nested,
  only,
  copiedSettings,
  type Changes,
  type Value,
} from './recipe';

const DELAY_MS = 300; // delay that combines several changes in one request
// The last two set the default folds.
const SPLIT_KEYS = ['split.', 'seed', 'classes.', 'group', 'channel_files', 'stage', 'init'];
export const PRESETS = ['first-look', 'good', 'best'] as const; // the fastest first
export type Preset = (typeof PRESETS)[number];

export interface FormState {
  changes: Changes;
  name: string;
  allowsLeakage: boolean;
  sizeOfFirstLook: number | null;
  earlier: Earlier | null;
  keepsSplit: boolean;
}

/** The earlier training whose settings are used. Its split can be kept on the same dataset. */
export interface Earlier {
  run: string;
  name: string;
  dataset: string;
  hasFolds: boolean;
  hasCustomThreshold: boolean; // chosen after that training, for its classifier
}

export class Plan {
  datasets: Resource<Awaited<ReturnType<typeof listDatasets>>> = new Resource(listDatasets, {
    topics: () => ['datasets'],
  });
  models = new Resource(listModels);
  #key = () => this.dataset?.id ?? null;
  findings = new Resource(
    async (signal) => (this.dataset ? (await listFindings(this.dataset.id, signal)).items : []),
    { key: this.#key },
  );
  columns = new Resource(
    async (signal) => (this.dataset ? (await listColumns(this.dataset.id, signal)).items : []),
    { key: this.#key },
  );
  /** Preview of the split; null while the images are being read. */
  split = new Resource<SplitPreview | null>(
    async (signal) => {
      if (!this.isReady) return null;
      const [id, recipe, allow_leakage] = [this.dataset!.id, this.splitRecipe, this.allowsLeakage];
      const repeats_run = this.repeatedRun;
      await new Promise((resolve) => setTimeout(resolve, DELAY_MS));
      signal.throwIfAborted();
      try {
        return await preview({ kind: 'split', dataset_id: id, recipe, allow_leakage, repeats_run }, signal);
      } catch (error) {
        if (!(error instanceof Problem && error.status === 409)) throw error;
        await this.datasets.reload(); // the images are being read again, so the dataset must be reloaded
        return null;
      }
    },
    {
      // The end of the search for near-duplicates changes only the topic of the dataset, not its content.
      topics: (split) =>
        this.dataset && split?.notes.some(({ code }) => code === 'near-duplicates-pending')
          ? [datasetTopic(this.dataset.id)]
          : [],
      key: this.#key,
    },
  );
  /** Estimates of the training time; null without a split. */
  time = new Resource(
    async (signal) => {
      const [split, recipe, id] = [this.split.value, nested(this.changesBesidePreset), this.dataset?.id];
      if (!split || split.refusal || !id) return null;
      await new Promise((resolve) => setTimeout(resolve, DELAY_MS));
      signal.throwIfAborted();
      return preview({ kind: 'time', dataset_id: id, recipe, sizes: split.sizes }, signal);
    },
    { key: this.#key },
  );
  datasetId = $state<string | null>(null); // id of the dataset in the address
  changes = $state.raw<Changes>({});
  name = $state('');
  allowsLeakage = $state(false);
  earlier = $state.raw<Earlier | null>(null);
  keepsSplit = $state(true);
  sizeOfFirstLook = $state<number | null>(null); // the image size that the first look has set
  isStarting = $state(false);
  startProblem = $state.raw<unknown>(null); // problem of the last start
  hasInvalidText = $state(false); // the text of the recipe is not valid
  isReadingText = $state(false); // the text of the recipe is not applied yet
  isReadingRun = $state(false); // the settings of an earlier training are loading

  labeled = $derived(
    (this.datasets.value?.items ?? []).filter(({ n_labeled, state }) => n_labeled > 0 || state === 'reading'),
  );
  datasetNames = $derived(namesOf(this.datasets.value?.items ?? []));
  #datasetText = $derived(
    JSON.stringify(this.labeled.find(({ id }) => id === this.datasetId)) as string | undefined,
  );
  /** It changes only with its content, so that nothing that depends on it reloads with the list. */
  dataset = $derived(
    this.#datasetText === undefined ? undefined : (JSON.parse(this.#datasetText) as Dataset),
  );
  #isOfDataset = $derived(this.earlier !== null && this.earlier.dataset === this.dataset?.id);
  /** Whether the test images of the earlier training can be those of this one: folds test all images. */
  canKeepSplit = $derived(this.#isOfDataset && !this.earlier!.hasFolds && !this.split.value?.n_folds);
  repeatedRun = $derived(this.#isOfDataset && this.keepsSplit ? this.earlier!.run : null);
  usedClasses = $derived((this.dataset?.classes ?? []).filter(({ n }) => n > 0));
  model = $derived<Model | undefined>(
    this.models.value?.items.find(({ name }) => name === this.valueOf('model')),
  );
  /** Defaults of all keys. Groups, classes and the pixels of files have the values of the dataset. */
  defaults = $derived<Changes>({
    ...Object.fromEntries(recipeKeys.keys.map((key) => [key.key, (key.default ?? null) as Value])),
    group: this.dataset?.groups.value ?? null,
    ...Object.fromEntries(
      Object.entries(this.dataset?.pixels ?? {}).map(([key, value]) => [`images.${key}`, value as Value]),
    ),
    crop_size: this.dataset?.crop_size ?? null,
    'classes.merge': this.dataset?.class_plan.merge ?? {},
    'classes.drop': this.dataset?.class_plan.drop ?? [],
    'classes.rename': this.dataset?.class_plan.rename ?? {},
  });
  isMissing = $derived(this.dataset?.sources.some(({ is_missing }) => is_missing) ?? false);
  isReady = $derived(this.dataset?.state === 'ready' && this.usedClasses.length > 1 && !this.isMissing);
  splitRecipe = $derived(nested(only(this.changes, SPLIT_KEYS)));
  /** Why the split is not possible; null if it is possible or not computed yet. */
  splitProblem = $derived(
    this.split.error ?? (this.split.value?.refusal ? problemFrom(this.split.value.refusal) : null),
  );
  expected = $derived(this.time.error ? null : this.time.value); // an earlier estimate does not apply to the current settings
  /** The preset that gives the current settings. */
  preset = $derived.by<Preset>(() => {
    if (this.valueOf('stage') !== 'instant') return 'best';
    const size = this.valueOf('image_size');
    return size !== null && size === this.sizeOfFirstLook ? 'first-look' : 'good';
  });
  /** The changes without those of the preset. */
  changesBesidePreset = $derived.by<Changes>(() => {
    const { stage: _, image_size, ...others } = this.changes;
    return this.preset === 'first-look' || image_size === undefined ? others : { ...others, image_size };
  });
  canStart = $derived(
    this.isReady &&
      !this.hasInvalidText &&
      !this.isReadingText &&
      !this.isReadingRun &&
      !this.isStarting &&
      this.splitProblem === null,
  );

  get recipe(): Record<string, unknown> {
    return nested(this.changes);
  }

  valueOf(key: string): Value {
    return key in this.changes ? this.changes[key]! : (this.defaults[key] ?? null);
  }

  isChanged(key: string): boolean {
    return key in this.changes;
  }

  set(key: string, value: Value): void {
    this.changes = changed(this.changes, key, value, this.defaults[key]);
    this.startProblem = null;
  }

  reset(key: string): void {
    this.set(key, this.defaults[key] ?? null);
  }

  resetAll(): void {
    this.changes = {};
    this.allowsLeakage = false;
    this.startProblem = null;
  }

  /** The expected time with a preset, by the last measurement. */
  timeOf(preset: Preset): PresetTime | undefined {
    return this.expected?.presets.find((time) => time.preset === preset);
  }

  /** Whether a preset is useful: a first look only if the server says so. */
  isOffered(preset: Preset): boolean {
    if (preset === this.preset || this.timeOf(preset)) return true;
    return preset !== 'first-look' && this.expected === null;
  }

  choosePreset(preset: Preset): void {
    if (this.preset === 'first-look') this.reset('image_size');
    const size = this.timeOf(preset)?.image_size ?? null;
    if (size !== null) {
      this.sizeOfFirstLook = size;
      this.set('image_size', size);
    }
    this.set('stage', preset === 'best' ? 'finetune' : 'instant');
  }

  /** Set all settings, from a recipe file or an earlier training. */
  setAll(values: Changes): Changes {
    this.changes = differing(values, this.defaults);
    this.startProblem = null;
    return this.changes;
  }

  /** The state of the form, which the browser history restores. */
  get formState(): FormState {
    const { changes, name, allowsLeakage, sizeOfFirstLook, earlier, keepsSplit } = this;
    return { changes, name, allowsLeakage, sizeOfFirstLook, earlier, keepsSplit };
  }

  restore(state: FormState): void {
    this.changes = state.changes;
    this.name = state.name;
    this.allowsLeakage = state.allowsLeakage;
    this.sizeOfFirstLook = state.sizeOfFirstLook;
    this.earlier = state.earlier;
    this.keepsSplit = state.keepsSplit;
  }

  /** Use the settings of an earlier training (“Train with other settings”). */
  async copyFrom(runId: string): Promise<void> {
    this.isReadingRun = true;
    try {
      const run = await readJob('train', runId);
      const isSame = run.dataset_id === this.dataset?.id;
      this.earlier =
        run.dataset_id && run.state !== 'failed' // a failed training may have no split
          ? {
              run: runId,
              name: run.name,
              dataset: run.dataset_id,
              hasFolds: run.n_folds > 0,
              hasCustomThreshold: hasCustomThreshold(run.recipe, run.requested_recipe),
            }
          : null;
      this.setAll(
        copiedSettings(
          run.requested_recipe,
          recipeKeys.keys.map(({ key }) => key),
          isSame,
        ),
      );
    } finally {
      this.isReadingRun = false;
    }
  }

  /** Start the training and return its id; null if the server refused it. */
  async start(): Promise<string | null> {
    if (!this.dataset) return null;
    this.isStarting = true;
    this.startProblem = null;
    try {
      const run = await startRun({
        dataset_id: this.dataset.id,
        name: this.name.trim() || null,
        recipe: this.recipe,
        allow_leakage: this.allowsLeakage,
        repeats_run: this.repeatedRun,
      });
      return run.id;
    } catch (error) {
      this.startProblem = error;
      return null;
    } finally {
      this.isStarting = false;
    }
  }
}
