// Colors of predicted objects: by class, by probability, or by whether the prediction is correct.
import type { ObjectLabels } from '../../api/lists';
import { texts } from '../../texts';
import { percent } from '../../texts/numbers';
import { type ClassKeys, drawnClasses, EXCLUDED } from '../classes';

export type ColorBy = 'result' | 'class' | 'probability';

const LIMITS = [0, 0.5, 0.7, 0.9, 0.99, 1]; // of the probabilities of each color
const OF_PROBABILITY = ['#d55e00', '#e69f00', '#f0e442', '#56b4e9', '#0072b2']; // for color-blind readers, too
const OF_RESULT = ['#0072b2', '#d55e00']; // correct, misclassified
const NONE = '#ffffff';
/** Colors of images without a predicted class. */
export const UNDECIDED = { uncertain: '#c8c8c8', unfamiliar: '#8a8a8a', unreadable: NONE };

/** The colors of n objects, and their names in the legend. */
export function colorsOf(
  by: ColorBy,
  keys: ClassKeys,
  classes: readonly string[],
  values: ObjectLabels | null,
  n: number,
) {
  const words = texts.fields;
  const decided = texts.predict.decisions;
  const labels = values?.labels ?? [];
  const { predicted = [], probabilities = [], decisions = [], corrections = [] } = values?.predictions ?? {};
  const drawn = drawnClasses(keys, classes);
  const colors = {
    class: () => [...drawn.palette, UNDECIDED.uncertain, UNDECIDED.unfamiliar],
    probability: () => OF_PROBABILITY,
    result: () => OF_RESULT,
  }[by]();
  const names = {
    class: () => [...classes, decided['uncertain']!, decided['unfamiliar']!],
    probability: () => colors.map((_, k) => words.probability(percent(LIMITS[k]!), percent(LIMITS[k + 1]!))),
    result: () => [words.correct, words.misclassified],
  }[by]();
  const palette = [...colors, NONE, EXCLUDED];
  const none = colors.length;
  const colorOf = new Uint16Array(n).fill(none);
  for (let k = 0; k < Math.min(n, predicted.length); k += 1) {
    const probability = probabilities[k] ?? null;
    const answer = corrections[k]! >= 0 ? corrections[k]! : -1;
    if (by === 'class') {
      colorOf[k] = answer >= 0 ? answer : decisions[k]!; // unreadable is the last decision and the last color
    } else if (by === 'probability') {
      if (probability !== null)
        colorOf[k] = Math.max(
          0,
          LIMITS.findLastIndex((limit) => probability >= limit && limit < 1),
        );
    } else {
      const label = answer >= 0 ? answer : labels[k]!;
      if (label >= 0 && predicted[k]! >= 0) colorOf[k] = label === predicted[k] ? 0 : 1;
    }
  }
  if (by === 'class') for (const k of values?.excluded ?? []) colorOf[k] = none + 1;
  const marks = by === 'class' ? [...drawn.marks, '', '', '', '×'] : []; // excluded objects are crossed out
  const dashed = [classes.length, classes.length + 1] as const; // uncertain and unfamiliar
  return {
    coloring: { palette, marks, colorOf, ...(by === 'class' ? { dashed } : {}) },
    names: [...names, by === 'result' ? words.withoutResult : words.unreadable, words.excluded],
  };
}
