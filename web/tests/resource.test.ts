import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Resource } from '../src/state/resource.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A server that responds when the test calls `answer` or `refuse`. */
function server<T>() {
  const requests: { signal: AbortSignal; answer: (value: T) => void; refuse: (why: unknown) => void }[] = [];
  const load = (signal: AbortSignal) =>
    new Promise<T>((answer, refuse) => requests.push({ signal, answer, refuse }));
  return { requests, load };
}
const settled = () => vi.advanceTimersByTimeAsync(0);

test('a resource has a value and a loading state', async () => {
  const { requests, load } = server<number>();
  const it = new Resource(load);
  expect(it).toMatchObject({ value: null, loading: false });
  void it.reload();
  expect(it.loading).toBe(true);
  requests[0]!.answer(1);
  await settled();
  expect(it).toMatchObject({ value: 1, error: null, loading: false });
});

test('a failure keeps the last value and is cleared by the next response', async () => {
  const { requests, load } = server<number>();
  const it = new Resource(load);
  it.set(1);
  void it.reload();
  requests[0]!.refuse('no');
  await settled();
  expect(it).toMatchObject({ value: 1, error: 'no', loading: false });
  void it.reload();
  requests[1]!.answer(2);
  await settled();
  expect(it).toMatchObject({ value: 2, error: null });
});

test('an older response does not replace a newer one', async () => {
  const { requests, load } = server<string>();
  const it = new Resource(load);
  void it.reload();
  void it.reload();
  expect(requests[0]!.signal.aborted).toBe(true);
  requests[1]!.answer('second');
  requests[0]!.answer('first');
  await settled();
  expect(it.value).toBe('second');
  void it.reload();
  it.set('told');
  requests[2]!.answer('older');
  await settled();
  expect(it.value).toBe('told');
});

test('an aborted resource ignores responses and failures', async () => {
  const { requests, load } = server<string>();
  const it = new Resource(load);
  void it.reload();
  it.abort();
  requests[0]!.refuse(requests[0]!.signal.reason);
  await settled();
  expect(it).toMatchObject({ value: null, error: null, loading: false });
});

test('a resource reloads until pollMs returns null', async () => {
  const { requests, load } = server<string>();
  const it = new Resource(load, { pollMs: (state) => (state === 'reading' ? 800 : null) });
  void it.reload();
  requests[0]!.answer('reading');
  await vi.advanceTimersByTimeAsync(800);
  expect(requests.length).toBe(2);
  requests[1]!.refuse('gone for a while');
  await vi.advanceTimersByTimeAsync(4000);
  expect(requests.length).toBe(3);
  requests[2]!.answer('ready');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(requests.length).toBe(3);
  expect(it).toMatchObject({ value: 'ready', error: null });
});
