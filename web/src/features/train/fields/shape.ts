// Types and conversions of recipe fields.
import type { KeyOption, RecipeKey } from '../../../api/runs';
import type { Value } from '../recipe';

/** A single value of a recipe key, or of an option of a network or loss. */
export interface Shape {
  readonly type: string;
  readonly choices: readonly { readonly value: string | number | boolean; readonly title: string }[];
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly unit: string;
  readonly isOptional: boolean;
  readonly empty: string; // meaning of null
}

export function shapeOfKey(key: RecipeKey): Shape {
  const { type, choices, minimum, maximum, unit, is_optional: isOptional, empty } = key;
  return { type, choices: choices ?? [], minimum, maximum, unit, isOptional, empty };
}

export function shapeOfOption(option: KeyOption): Shape {
  const { type, choices, minimum, maximum } = option;
  return { type, choices, minimum, maximum, unit: '', isOptional: false, empty: '' };
}

/** Convert `'2, 4, 3'` to numbers. Other text stays, so that the server reports it. */
export function numbersIn(text: string): Value {
  return text
    .split(/[\s,;]+/)
    .filter(Boolean)
    .map((part) => (Number.isFinite(Number(part)) ? Number(part) : part));
}

/** Convert `'0, 2'` or `'0 2'` to numbers, and `'DAPI, Alexa 488'` to names. */
function channelsIn(text: string): Value {
  const numbers = numbersIn(text);
  const areNumbers = Array.isArray(numbers) && numbers.every((part) => typeof part === 'number');
  if (areNumbers) return numbers;
  const parts = text.split(/[,;]/).map((part) => part.trim());
  return parts.filter(Boolean).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/** The value that a user typed into a field. */
export function fromText(text: string, shape: Shape, fallback: Value): Value {
  const typed = text.trim();
  if (typed === '') return shape.isOptional ? null : fallback;
  if (shape.type === 'integers') return numbersIn(typed);
  if (shape.type === 'channels') return channelsIn(typed);
  const isNumber = ['number', 'integer', 'length'].includes(shape.type);
  return isNumber && Number.isFinite(Number(typed)) ? Number(typed) : typed;
}

export function asText(value: Value): string {
  if (value === null) return '';
  return Array.isArray(value) ? value.join(', ') : String(value);
}
