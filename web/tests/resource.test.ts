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

test('a value or a problem of another key is not shown', async () => {
  const { requests, load } = server<string>();
  let key = 'a';
  const it = new Resource(load, { key: () => key });
  void it.reload();
  requests[0]!.answer('of a');
  await settled();
  expect(it.value).toBe('of a');
  key = 'b';
  expect(it).toMatchObject({ value: null, error: null });
  void it.reload();
  requests[1]!.refuse('no b');
  await settled();
  expect(it).toMatchObject({ value: null, error: 'no b' });
  key = 'c';
  void it.reload();
  expect(it).toMatchObject({ value: null, error: null, loading: true });
  requests[2]!.answer('of c');
  await settled();
  expect(it.value).toBe('of c');
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

test('a topic that changed during a request counts if the response depends on it', async () => {
  const { requests, load } = server<string>();
  const it = new Resource(load, { topics: (state) => (state === 'pending' ? ['datasets'] : []) });
  void it.reload();
  it.changed(new Set(['datasets']));
  requests[0]!.answer('pending');
  await vi.advanceTimersByTimeAsync(1000);
  expect(requests.length).toBe(2);
  it.changed(new Set(['datasets']));
  requests[1]!.answer('complete');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(requests.length).toBe(2);
});

test('a changed topic reloads after a pending request, and at most once a second', async () => {
  const { requests, load } = server<string>();
  const it = new Resource(load, { topics: (state) => (state === 'ready' ? [] : ['datasets']) });
  void it.reload();
  it.changed(new Set(['datasets']));
  it.changed(new Set(['datasets', 'train']));
  await vi.advanceTimersByTimeAsync(2000);
  expect(requests.length).toBe(1);
  requests[0]!.answer('reading');
  await settled();
  await settled();
  expect(requests.length).toBe(2);
  requests[1]!.refuse('gone for a while');
  await settled();
  it.changed(new Set(['train']));
  it.changed(new Set(['datasets']));
  await vi.advanceTimersByTimeAsync(999);
  expect(requests.length).toBe(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(requests.length).toBe(3);
  requests[2]!.answer('ready');
  await settled();
  it.changed(new Set(['datasets', '*']));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(requests.length).toBe(3);
  it.changed(new Set(['activity'])); // which jobs and datasets there are matters to every page
  await settled();
  expect(requests.length).toBe(4);
});

test('changed fields of the job of a value are set, also while an older response is awaited', async () => {
  const { requests, load } = server<{ id: string; state: string; n: number }>();
  const it = new Resource(load, { job: ({ id, state }) => (state === 'running' ? id : null) });
  it.changed(new Set(), { a: { state: 'done' } }); // before the first response
  void it.reload();
  requests[0]!.answer({ id: 'a', state: 'running', n: 1 });
  await settled();
  expect(it.job).toBe('a');
  void it.reload();
  it.changed(new Set(), { a: { n: 2 }, b: { n: 9 } });
  expect(requests[1]!.signal.aborted).toBe(true);
  expect(it.value).toEqual({ id: 'a', state: 'running', n: 2 });
  it.changed(new Set(), { a: { state: 'done' } });
  expect(it.job).toBeNull();
});
