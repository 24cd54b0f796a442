import { expect, test } from 'vitest';
import { answersFor, itemsOf } from '../src/features/drop/answers';

const named = (...names: string[]) => ({
  name: '',
  files: names.map((name) => ({ name, file: new File([], name) })),
});
const on = (address: string) => {
  const { pathname, searchParams } = new URL(address, 'http://app');
  return itemsOf(pathname, searchParams);
};
const EDITOR = {
  ...{ hasClassifiers: true, hasClassifierOfObjects: false },
  ...{ canEdit: true, isOfObjects: false },
};
const image = named('cell.png');
const folder = named('a/1.png', 'b/2.png');

test('the likely answer depends on the files', () => {
  const answers = (...names: string[]) => answersFor(named(...names), on('/'), EDITOR);
  expect(answers('cells.coverslip')).toEqual(['import']);
  expect(answers('cells.coverslip', 'a.png')).not.toContain('import');
  expect(answers('conditions.csv')).toEqual(['find-table']);
  expect(answers('cell.png')).toEqual(['show', 'predict', 'unlabeled', 'find']);
  expect(answers('1.png', '2.png')).toEqual(['unlabeled', 'find', 'predict']);
  for (const labeled of [['a/1.png', 'b/2.png'], ['cells.zip'], ['1.png', 'labels.csv']])
    expect(answers(...labeled)).toEqual(['labeled', 'unlabeled', 'find', 'predict']);
  expect(answers()).toEqual([]);
  const ofObjects = { ...EDITOR, hasClassifierOfObjects: true };
  expect(answersFor(image, on('/'), ofObjects)).toEqual(['predict', 'unlabeled', 'find']); // finds the objects
});

test('the likely answer depends on the page', () => {
  const first = (address: string, files = folder) => answersFor(files, on(address), EDITOR)[0];
  for (const page of ['/', '/datasets', '/train?dataset=1', '/studies/new', '/help/app', '/predict'])
    expect(first(page), page).toBe('labeled');
  for (const page of [
    '/runs/1?tab=trust',
    '/classifiers/1',
    '/predict?classifier=1',
    '/predictions/1/samples',
  ])
    expect([first(page), first(page, image)], page).toEqual(['predict', 'show']);
  expect(first('/datasets/1?tab=images')).toBe('add');
  const ofObjects = answersFor(folder, on('/datasets/1'), { ...EDITOR, isOfObjects: true });
  expect([ofObjects[0], ofObjects.includes('add')]).toEqual(['find', false]);
  expect(answersFor(folder, on('/runs/1'), EDITOR)).toContain('evaluate');
  const tables = (...names: string[]) => answersFor(named(...names), on('/predictions/1'), EDITOR);
  expect(tables('conditions.csv')).toEqual(['conditions', 'find-table']);
  expect(tables('1.csv', '2.csv')).toEqual(['find-table']); // one would be ignored
  expect(answersFor(image, on('/runs/1'), EDITOR)).not.toContain('evaluate');
});

test('only what the user may do is offered', () => {
  const viewer = { ...EDITOR, canEdit: false };
  expect(answersFor(image, on('/runs/1'), viewer)).toEqual(['show']);
  expect(answersFor(folder, on('/runs/1'), viewer)).toEqual([]);
  expect(answersFor(image, on('/'), { ...EDITOR, hasClassifiers: false })).toEqual(['unlabeled', 'find']);
});
