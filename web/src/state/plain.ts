// What the server says is also meant for the command line; here the same is said in the words of the pages.
import { texts } from '../texts';
import { recipeKeys } from './recipe_keys.svelte';

/** A text without options and commands, which are of no use in the pages. */
export function plain(text: string): string {
  return text
    .replace(/\s*\([^()]*--[^()]*\)/g, '')
    .replace(/\bwith --set ([\w.]+)=\.\.\./g, (_, key: string) => texts.general.plain.under(title(key)))
    .replace(
      /(?:--set )?'?\b([a-z_]+(?:\.[a-z_]+)*)=([^\s',;)]*[^\s',;.)])'?/g,
      (whole, key: string, value: string) =>
        recipeKeys.get(key) || whole.startsWith('--set') ? setting(key, value) : whole,
    )
    .replace(/\b(balance): (\w+) in the recipe\b/g, (_, key: string, value: string) => setting(key, value))
    .replace(/--allow-leakage/g, texts.general.plain.allowLeakage)
    .replace(
      /`coverslip (\w+)[^`]*`/g,
      (whole, command: string) => texts.general.plain.commands[command] ?? whole,
    );
}

function setting(key: string, value: string): string {
  return texts.general.plain.setting(title(key), recipeKeys.titleOf(key, value));
}

function title(key: string): string {
  const known = recipeKeys.get(key)?.title;
  if (known) return known;
  const words = (key.split('.').at(-1) ?? key).replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
