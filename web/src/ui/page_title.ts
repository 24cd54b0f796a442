// The title of the page of an item: its name, that it is being loaded, or that it is not here.
import type { Resource } from '../state/resource.svelte';
import { texts } from '../texts';

export const titleOf = ({ value, error }: Pick<Resource<{ name: string }>, 'value' | 'error'>): string =>
  value?.name ?? (error ? texts.general.notHere : texts.general.loading);
