import { expect, test } from 'vitest';
import { texts as german } from '../src/texts/de';
import { texts as english } from '../src/texts/en';

/** All texts by their path; of texts with parameters, their source. */
function leaves(of: unknown, path = ''): [string, string][] {
  if (typeof of === 'string') return [[path, of]];
  if (typeof of === 'function') return [[path, String(of)]];
  return Object.entries(of ?? {}).flatMap(([name, each]) => leaves(each, path ? `${path}.${name}` : name));
}

const [en, de] = [new Map(leaves(english)), new Map(leaves(german))];

test('German has all texts, also of lists and tables by name', () => {
  expect([...de.keys()].sort()).toEqual([...en.keys()].sort());
});

test('German texts use German quotes', () => {
  // The source of a text with parameters has quotes of its own.
  const isWrong = (text: string) => (/^\(|=>/.test(text) ? text.includes('”') : /["'”‘»«]/.test(text));
  expect([...de].filter(([, text]) => isWrong(text)).map(([path]) => path)).toEqual([]);
});

// Words of texts that are the same in both languages: names, terms and symbols.
const SAME = new Set(
  (
    'coverslip Start Trainings Tutorial Training Python Installation Maximum Name Annotator Administrator Status ' +
    'Evaluation Test Format Problem CORAL Cluster Lasso GeoJSON COCO LabelMe YOLO Radius QuPath napari Folds Details SVG PNG ' +
    'NPV AUROC Fold AP ECE ONNX BioImage IO Label Labels Score Seed Holm MMD ImageNet Plan YAML ' +
    'px quick balanced best own Block'
  ) // values, such as of time limits
    .split(' '),
);

/** The words of a text with more than one letter; of a text with parameters, those of its strings. */
function words(text: string): string[] {
  const isCode = /^\(|^function/.test(text);
  const strings = isCode ? (text.match(/(["'`])(?:.(?!\1))*.?\1/gs) ?? []).join(' ') : text;
  return strings.replace(/\$\{[^}]*\}|\\n/g, ' ').match(/[A-Za-z]{2,}/g) ?? [];
}

test('no German text is English', () => {
  const same = [...de].filter(([path, text]) => text === en.get(path));
  const left = same.filter(([, text]) => words(text).some((word) => !SAME.has(word)));
  expect(left.map(([path, text]) => [path, text])).toEqual([]);
});
