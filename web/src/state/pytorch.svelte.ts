import { readSystem } from '../api/client';
import { texts } from '../texts';
import { bytes } from '../texts/numbers';
import { resource } from './resource.svelte';

/** What to say where something needs PyTorch, with its size and the command that installs it; null if it is installed. */
export function needsPyTorch(): { readonly text: string | null } {
  const missing = resource(async (signal) => (await readSystem(signal)).missing_pytorch);
  return {
    get text() {
      const { value } = missing;
      return value && texts.general.needsPyTorch(value.command, bytes(value.disk_bytes));
    },
  };
}
