import { beforeEach, expect, test, vi } from 'vitest';
import { Problem } from '../src/api/client';
import { notices } from '../src/state/notices.svelte';
import { SaveQueue } from '../src/state/save_queue.svelte';

type Conditions = Record<string, string>;

/** A form whose saves the test answers; the server refuses conditions named `no`, and does not respond to the first request with `away`. */
function form() {
  let saved: Conditions = {};
  const sent: Conditions[] = [];
  const waiting: (() => void)[] = [];
  const queue = new SaveQueue<Conditions>(
    () => saved,
    async (value) => {
      sent.push(value);
      await new Promise<void>((resolve) => waiting.push(resolve));
      if (Object.values(value).includes('away') && sent.length < 2) throw new Problem(0);
      if (Object.values(value).includes('no')) throw new Error('refused');
      if (Object.values(value).includes('late')) {
        saved = { 9: 'other' };
        throw new Problem(412, 'changed');
      }
      saved = value;
    },
  );
  const type = (sample: string, condition: string) => queue.edit((all) => ({ ...all, [sample]: condition }));
  const answer = async () => {
    await vi.waitFor(() => expect(waiting).not.toEqual([]));
    waiting.shift()!();
  };
  return { queue, sent, type, answer, saved: () => saved };
}

beforeEach(() => {
  vi.stubGlobal('addEventListener', vi.fn());
  vi.stubGlobal('removeEventListener', vi.fn());
});

test('edits during a save are saved together after it, and none is reverted', async () => {
  const { queue, sent, type, answer, saved } = form();
  const edits = [type('1', 'low')];
  await vi.waitFor(() => expect(sent).toEqual([{ 1: 'low' }]));
  edits.push(type('2', 'low'), type('3', 'high'), type('2', 'high'));
  expect(queue.value).toEqual({ 1: 'low', 2: 'high', 3: 'high' }); // shown before they are saved
  await answer();
  await answer();
  await Promise.all(edits);
  expect(saved()).toEqual({ 1: 'low', 2: 'high', 3: 'high' });
  expect(queue.value).toEqual(saved());
  expect(sent).toHaveLength(2);
});

test('an edit to which the server does not respond is saved when it does', async () => {
  const { queue, sent, type, answer, saved } = form();
  const edits = [type('1', 'away')];
  await answer();
  edits.push(type('2', 'low'));
  expect(queue.value).toEqual({ 1: 'away', 2: 'low' });
  expect(saved()).toEqual({});
  await vi.waitFor(() => expect(sent).toHaveLength(2), 3000);
  await answer();
  await answer();
  await Promise.all(edits);
  expect(saved()).toEqual({ 1: 'away', 2: 'low' });
  expect(queue.isSaving).toBe(false);
});

test('an edit that is refused does not take others with it', async () => {
  const problems = vi.spyOn(notices, 'showProblem').mockReturnValue(undefined as never);
  const { queue, type, answer, saved } = form();
  const edits = [type('1', 'low'), type('2', 'no'), type('3', 'high')];
  for (let k = 0; k < 4; k += 1) await answer(); // all together, then each
  await Promise.all(edits);
  expect(saved()).toEqual({ 1: 'low', 3: 'high' });
  expect(queue.value).toEqual(saved());
  expect(problems).toHaveBeenCalledTimes(1);
});

test('edits of what somebody else has changed are not saved, and the user is told', async () => {
  const show = vi.spyOn(notices, 'showProblem').mockReturnValue(undefined);
  show.mockClear();
  const { queue, sent, type, answer, saved } = form();
  const edits = [type('1', 'low')];
  await vi.waitFor(() => expect(sent).toHaveLength(1));
  edits.push(type('2', 'late'), type('3', 'high'));
  await answer();
  await answer();
  await Promise.all(edits);
  expect(sent).toHaveLength(2);
  expect(saved()).toEqual({ 9: 'other' });
  expect(queue.value).toEqual({ 9: 'other' });
  expect(show).toHaveBeenCalledOnce();
});
