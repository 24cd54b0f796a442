import { afterEach, expect, test, vi } from 'vitest';
import { afterSaving, saving } from '../src/state/queue';

afterEach(() => vi.unstubAllGlobals());

/** Work that ends when the test says so. */
function work() {
  let end!: (value: string) => void;
  let fail!: (why: unknown) => void;
  const result = new Promise<string>((resolve, reject) => ((end = resolve), (fail = reject)));
  return { run: vi.fn(() => result), end, fail };
}

test('answers are saved one after another, and what depends on them waits for all, also after a failure', async () => {
  const window = new EventTarget(); // the page
  vi.stubGlobal('addEventListener', window.addEventListener.bind(window));
  vi.stubGlobal('removeEventListener', window.removeEventListener.bind(window));
  const maySimplyLeave = () => window.dispatchEvent(new Event('beforeunload', { cancelable: true }));
  const [labels, corrections] = [saving(), saving()];
  const [first, second, other] = [work(), work(), work()];
  const failed = labels(first.run).catch(() => 'not saved');
  void labels(second.run);
  void corrections(other.run);
  let isSaved = false;
  expect(maySimplyLeave()).toBe(false);
  const all = afterSaving(async () => (isSaved = true));
  await Promise.resolve();
  expect([first.run, second.run, other.run].map((run) => run.mock.calls.length)).toEqual([1, 0, 1]);
  first.fail(new Error('no'));
  expect(await failed).toBe('not saved');
  other.end('other');
  await vi.waitFor(() => expect(second.run).toHaveBeenCalled());
  expect(isSaved).toBe(false);
  second.end('second');
  await all;
  expect(await afterSaving(async () => 'at once')).toBe('at once');
  expect(maySimplyLeave()).toBe(true);
});
