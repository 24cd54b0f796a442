// Keys of a recipe in its text: the one at the cursor, and how to add one.
import type { Value } from './recipe';

const LINE = /^(\s*)([\w.]*)/;

/** The dotted key on the line of the cursor, or the part of it that is typed; empty on an empty line. */
export function keyAt(text: string, cursor: number): string {
  const lines = text.slice(0, cursor).split('\n');
  const line = text.split('\n')[lines.length - 1]!;
  const [, indent, name] = LINE.exec(line)!;
  if (!indent || !name) return name!;
  const section = lines.findLast((above) => /^\w+:\s*$/.test(above));
  return section ? `${section.split(':')[0]}.${name}` : name;
}

/**
 * The text with another key below its section, in place of an incomplete line at the cursor; and where its value
 * is. A key that the text has stays as it is.
 */
export function withKey(
  text: string,
  cursor: number,
  key: string,
  value: Value,
): { text: string; from: number; to: number } {
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  const at = text.slice(0, cursor).split('\n').length - 1;
  if (/^\s*[\w.]*$/.test(lines[at] ?? '')) lines.splice(at, 1);
  const endOf = (line: number) => lines.slice(0, line + 1).join('\n').length;
  const present = lines.findIndex((_, line) => keyAt(lines.join('\n'), endOf(line)) === key);
  if (present >= 0) {
    const from = endOf(present) - lines[present]!.replace(/^[^:]*: */, '').length;
    return { text: `${lines.join('\n')}\n`, from, to: endOf(present) };
  }
  const [name, section] = key.split('.').reverse() as [string, string?];
  const shown = JSON.stringify(value);
  let line = lines.length;
  if (section === undefined) lines.push(`${name}: ${shown}`);
  else {
    line = lines.findIndex((other) => other.trimEnd() === `${section}:`) + 1;
    if (!line) line = lines.push(`${section}:`);
    lines.splice(line, 0, `  ${name}: ${shown}`);
  }
  const to = endOf(line);
  return { text: `${lines.join('\n')}\n`, from: to - shown.length, to };
}
