// Requests about trainings: runs, their results, networks and recipes.
import { answer, api, every } from './client';
import type { Metrics } from './evaluations';
import { resultsOf } from './jobs';
import type { components } from './schema';

type Schemas = components['schemas'];
export type ImageChanges = Schemas['ImageChanges'];
export type Run = Schemas['RunState'];
export type RunDetail = Schemas['RunStory'];
export type Training = Schemas['Training'];
export type RunState = Run['state'];
export type Results = Omit<Schemas['Results'], 'metrics'> & { metrics: Metrics };
export type Comparison = Schemas['JobComparison'];
export type Model = Schemas['AdvisedModel'];
export type RecipeKey = Schemas['RecipeKey'];
export type KeyGroup = Schemas['Group'];
export type NamedSet = Schemas['NamedSet'];
export type KeyOption = Schemas['RecipeOption'];

const at = (run_id: string) => ({ params: { path: { run_id } } });

export const listRuns = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/runs', { params: { query }, signal }));
export const startRun = (body: Schemas['NewRun']) => answer(api.POST('/api/v1/runs', { body }));
export const renameRun = (id: string, name: string) =>
  answer(api.PATCH('/api/v1/runs/{run_id}', { ...at(id), body: { name } }));
export const readResults = (id: string, signal?: AbortSignal) => resultsOf<Results>(id, signal);
export type Thresholds = Schemas['Thresholds'];
export type Decision = Schemas['Decision'];
/**
 * Threshold in use, and results of other thresholds on validation images, of a classifier with two classes.
 */
export const readThresholds = (id: string, signal?: AbortSignal) =>
  answer(api.GET('/api/v1/runs/{run_id}/thresholds', { ...at(id), signal }));
/** Set the decision rule of a run, chosen on validation images; missing values are defaults. */
export const setDecision = (id: string, body: Decision) =>
  answer(api.PUT('/api/v1/runs/{run_id}/decision', { ...at(id), body }));
/** Count the differences between the images of this training and of a new one. */
export const countImageChanges = (id: string, signal?: AbortSignal) =>
  answer(api.GET('/api/v1/runs/{run_id}/image-changes', { ...at(id), signal }));
export const compareRuns = (ids: string[], signal?: AbortSignal) =>
  answer(api.GET('/api/v1/comparison', { params: { query: { run_id: ids } }, signal }));

export const listModels = (signal?: AbortSignal) =>
  every((query) => api.GET('/api/v1/models', { params: { query }, signal }));
export const readRecipeKeys = () => answer(api.GET('/api/v1/recipe'));

/** Return the values of the keys in a recipe file. Errors are a problem with keys and lines. */
export const readRecipe = (text: string, signal?: AbortSignal) =>
  answer(api.POST('/api/v1/recipe/read', { body: { text }, signal }));
/** Return the recipe file with these values. Errors are a problem with keys. */
export const writeRecipe = (recipe: Record<string, unknown>, signal?: AbortSignal) =>
  answer(api.POST('/api/v1/recipe/write', { body: { recipe, is_complete: false }, signal }));

/** Whether a job is in progress, so that its page follows it. */
export function isInProgress(state: RunState): boolean {
  return state === 'queued' || state === 'starting' || state === 'running' || state === 'stopping';
}

/** The ID of a job if it is in progress. */
export const followedJob = ({ id, state }: { id: string; state: RunState }): string | null =>
  isInProgress(state) ? id : null;
