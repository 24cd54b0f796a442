import { expect, test } from 'vitest';
import { sequential } from '../src/state/queue';
import { actionOf, factsOf, filterOf, isListed, mergeRows } from '../src/features/predictions/corrections';
import type { PredictionRow } from '../src/api/predictions';
import { texts } from '../src/texts';

const classes = ['a', 'b', 'review'];
const key = (name: string, more: Partial<KeyboardEvent> = {}) =>
  ({ key: name, ctrlKey: false, metaKey: false, altKey: false, ...more }) as KeyboardEvent;

test('digits select existing classes', () => {
  expect(actionOf(key('2'), classes)).toEqual({
    kind: 'correct',
    review: { correction: 'b', excluded: null },
  });
  expect(actionOf(key('9'), classes)).toBeNull();
  expect(actionOf(key('a'), classes)).toBeNull();
});

test('the mark of a class is its key, including 0 and letters', () => {
  const many = Array.from({ length: 36 }, (_, i) => `class ${i + 1}`);
  expect(actionOf(key('0'), many)).toEqual({
    kind: 'correct',
    review: { correction: 'class 10', excluded: null },
  });
  expect(actionOf(key('a'), many)).toEqual({
    kind: 'correct',
    review: { correction: 'class 11', excluded: null },
  });
  expect(actionOf(key('u'), many)).toEqual({
    kind: 'correct',
    review: { correction: 'class 31', excluded: null },
  });
  expect(actionOf(key('Z'), many)).toEqual({
    kind: 'correct',
    review: { correction: 'class 36', excluded: null },
  });
  expect(actionOf(key('0'), classes)).toBeNull();
});

test('Delete and Backspace remove a correction', () => {
  for (const name of ['Delete', 'Backspace']) expect(actionOf(key(name), classes)).toEqual({ kind: 'clear' });
});

test('Ctrl-Z is undo; other shortcuts are ignored', () => {
  expect(actionOf(key('u'), classes)).toBeNull();
  expect(actionOf(key('Z', { ctrlKey: true, shiftKey: true }), classes)).toBeNull();
  expect(actionOf(key('z', { ctrlKey: true }), classes)).toEqual({ kind: 'undo' });
  expect(actionOf(key('1', { ctrlKey: true }), classes)).toBeNull();
});

test('filters become queries, also for a class with the name of a filter', () => {
  expect(filterOf('all', classes)).toEqual({});
  expect(filterOf('review', classes)).toEqual({ only: 'review' });
  expect(filterOf('warning', classes)).toEqual({ only: 'warning' });
  expect(filterOf('class:review', classes)).toEqual({ decision: 'review' });
  expect(filterOf('unreadable', classes)).toEqual({ decision: 'unreadable' });
  expect(filterOf('unfamiliar', classes)).toEqual({ decision: 'unfamiliar' });
});

const row = (row_id: number, correction: string | null = null) =>
  ({ row_id, correction, excluded: null }) as unknown as PredictionRow;
const numbers = (rows: readonly PredictionRow[]) => rows.map(({ row_id }) => row_id);

test('corrections move a row between the lists of reviewed and unreviewed images', () => {
  expect(isListed(row(1), 'review')).toBe(true);
  expect(isListed(row(1, 'a'), 'review')).toBe(false);
  expect(isListed(row(1), 'corrected')).toBe(false);
  expect(isListed(row(1, 'a'), 'class:a')).toBe(true);
});

test('the current row keeps its place in a reloaded list', () => {
  const before = [row(1), row(4), row(6), row(9)];
  expect(numbers(mergeRows(before, [row(2), row(4), row(5)], 4))).toEqual([2, 4, 5]);
  expect(numbers(mergeRows(before, [row(2), row(6), row(9)], 4))).toEqual([2, 4, 6, 9]);
  expect(numbers(mergeRows(before, [row(1), row(2)], 9))).toEqual([1, 2, 9]);
  expect(numbers(mergeRows(before, [row(1), row(2)], null))).toEqual([1, 2]);
});

test('tasks run in order, also after a failed task', async () => {
  const turn = sequential();
  const done: string[] = [];
  const slow = turn(async () => {
    await new Promise((go) => setTimeout(go, 20));
    done.push('slow');
  });
  const failing = turn(() => Promise.reject(new Error('no')));
  const quick = turn(async () => done.push('quick'));
  await expect(failing).rejects.toThrow('no');
  await Promise.all([slow, quick]);
  expect(done).toEqual(['slow', 'quick']);
});

test('the spoken facts of an image are its class, its probability and the correction', () => {
  const predicted = {
    ...row(1),
    predicted: 'a',
    probability: 0.95,
    decision: 'uncertain',
    reason: 'r',
    warning: null,
  };
  const { decisions, marks, predictedClass } = texts.predict;
  expect(factsOf(predicted)).toEqual([predictedClass('a'), '95.0%', decisions.uncertain]);
  expect(factsOf({ ...predicted, correction: 'a' }).at(-1)).toBe(marks.confirmed);
  expect(factsOf({ ...predicted, correction: 'b' }).at(-1)).toBe(texts.runs.retraining.corrected('b'));
  expect(factsOf({ ...predicted, predicted: null })).toEqual([decisions.uncertain, 'r']);
});
