import { expect, test, vi } from 'vitest';
import { saving, sequential } from '../src/state/queue';
import { cellOf, factsOf, filterOf } from '../src/features/predictions/rows';
import { repeatsOf } from '../src/images/reviews';
import type { PredictionRow } from '../src/api/lists';
import { texts } from '../src/texts';

const classes = ['a', 'b', 'review'];

test('filters become queries, also for a class with the name of a filter', () => {
  expect(filterOf('all', classes)).toEqual({});
  expect(filterOf('review', classes)).toEqual({ only: 'review' });
  expect(filterOf('warning', classes)).toEqual({ only: 'warning' });
  expect(filterOf('excluded', classes)).toEqual({ only: 'excluded' });
  expect(filterOf('class:review', classes)).toEqual({ decision: 'review' });
  expect(filterOf('unreadable', classes)).toEqual({ decision: 'unreadable' });
  expect(filterOf('uncertain', classes)).toEqual({ decision: 'uncertain' });
  expect(filterOf('unfamiliar', classes)).toEqual({ decision: 'unfamiliar' });
});

const row = (row_id: number, correction: string | null = null) =>
  ({ row_id, correction, excluded: null }) as unknown as PredictionRow;

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

test('the browser asks before it leaves a page as long as an answer is not saved', async () => {
  const page = new EventTarget(); // tests run without a browser
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  const isAsking = (): boolean => {
    const leaving = new Event('beforeunload', { cancelable: true });
    page.dispatchEvent(leaving);
    return leaving.defaultPrevented;
  };
  const save = saving();
  expect(isAsking()).toBe(false);
  const failing = save(() => Promise.reject(new Error('no')));
  const last = save(() => new Promise((go) => setTimeout(go, 20)));
  expect(isAsking()).toBe(true);
  await expect(failing).rejects.toThrow('no');
  expect(isAsking()).toBe(true);
  await last;
  expect(isAsking()).toBe(false);
  vi.unstubAllGlobals();
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

test('a badge shows that an image was confirmed, corrected or excluded', () => {
  const predicted = { ...row(1), predicted: 'a', probability: 0.95, decision: 'a', warning: null };
  expect(cellOf(predicted).badge).toBeNull();
  const marks = [{ correction: 'a' }, { correction: 'b' }, { excluded: 'unusable' as const }];
  expect(marks.map((mark) => cellOf({ ...predicted, ...mark }).badge?.title)).toEqual(
    Object.values({ ...{ confirmed: '', corrected: '', excluded: '' }, ...texts.predict.marks }),
  );
});

test('a correction is shown in the other rows of its image', () => {
  const rows = [null, 0, null, 0].map((first_row, row_id) => ({ row_id, first_row }));
  expect(repeatsOf(rows[1]!, rows)).toEqual([0, 3]);
  expect(repeatsOf(rows[2]!, rows)).toEqual([]);
});
