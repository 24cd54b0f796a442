// Recipe keys of the server with their titles, loaded once.
import { readRecipeKeys, type KeyGroup, type NamedSet, type RecipeKey } from '../api/runs';

class RecipeKeys {
  groups = $state.raw<readonly KeyGroup[]>([]);
  keys = $state.raw<readonly RecipeKey[]>([]);
  sets = $state.raw<readonly NamedSet[]>([]); // presets of sections
  #byName = $derived(new Map(this.keys.map((key) => [key.key, key])));
  #request: Promise<void> | null = null;

  /** Load the keys once. After a failure, load them again. */
  load(): Promise<void> {
    this.#request ??= readRecipeKeys().then(
      ({ groups, keys, sets }) => this.set(groups, keys, sets),
      (error: unknown) => {
        this.#request = null;
        throw error;
      },
    );
    return this.#request;
  }

  set(groups: readonly KeyGroup[], keys: readonly RecipeKey[], sets: readonly NamedSet[] = []): void {
    this.groups = groups;
    this.keys = keys;
    this.sets = sets;
  }

  get(name: string): RecipeKey | undefined {
    return this.#byName.get(name);
  }

  /** Title of a key and of a value. */
  named(key: string, value: unknown): { title: string; value: string } {
    const last = (key.split('.').at(-1) ?? key).replaceAll('_', ' ');
    const title = this.get(key)?.title ?? last.charAt(0).toUpperCase() + last.slice(1);
    return { title, value: typeof value === 'object' ? JSON.stringify(value) : this.titleOf(key, value) };
  }

  /** Title of a value, or the value itself. */
  titleOf(name: string, value: unknown): string {
    return (
      this.get(name)?.choices?.find((choice) => String(choice.value) === String(value))?.title ??
      String(value)
    );
  }
}

export const recipeKeys = new RecipeKeys();
