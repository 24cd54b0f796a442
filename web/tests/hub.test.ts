import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Refusal } from '../src/api/events';
import { Hub, type FromTab, type Source, type ToTab } from '../src/state/hub';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A stream whose events the test sends. */
class Spoken implements Source {
  isOpen = true;
  readonly #listeners = new Map<string, (event: MessageEvent<string>) => void>();
  constructor(readonly url: string) {}
  addEventListener(kind: string, listener: (event: MessageEvent<string>) => void): void {
    this.#listeners.set(kind, listener);
  }
  close(): void {
    this.isOpen = false;
  }
  say(kind: string, data: unknown = null, lastEventId = ''): void {
    this.#listeners.get(kind)?.({ data: JSON.stringify(data), lastEventId } as MessageEvent<string>);
  }
}

/** The end of a tab. */
class Tab {
  heard: ToTab[] = [];
  #listeners = new Map<string, (event: { data: FromTab }) => void>();
  constructor(hub: Hub) {
    hub.connect(this);
  }
  postMessage(message: ToTab): void {
    this.heard.push(message);
  }
  addEventListener(kind: 'message' | 'close', listener: (event: { data: FromTab }) => void): void {
    this.#listeners.set(kind, listener);
  }
  tell(message: FromTab): void {
    this.#listeners.get('message')!({ data: message });
  }
  follow(isVisible = true, jobs: Record<string, number> = {}): this {
    this.tell({ kind: 'follow', isVisible, jobs: Object.entries(jobs) });
    return this;
  }
  crash(): void {
    this.#listeners.get('close')!({ data: { kind: 'leave' } });
  }
}

function started(refusal: Refusal | null = null) {
  const sources: Spoken[] = [];
  const hub = new Hub(
    (url) => {
      const source = new Spoken(url);
      sources.push(source);
      return source;
    },
    () => Promise.resolve(refusal),
  );
  const current = () => sources.at(-1)!;
  const query = () => new URL(current().url, 'http://host').searchParams;
  return { hub, sources, current, query, tab: () => new Tab(hub) };
}
const soon = () => vi.advanceTimersByTimeAsync(50);

test('tabs share one stream, which names the jobs of all', async () => {
  const { sources, current, query, tab } = started();
  const tabs = [tab().follow(), tab().follow(true, { a: 4 }), tab().follow(true, { a: 2, b: 0 })];
  await soon();
  expect(sources.length).toBe(1);
  expect(query().getAll('job')).toEqual(['a:2', 'b:0']);
  current().say('open');
  current().say('changed', ['datasets'], '1-7');
  for (const { heard } of tabs)
    expect(heard).toEqual([
      { kind: 'live', isNew: true },
      { kind: 'changed', topics: ['datasets'] },
    ]);
  current().say('job', { id: 'a', event: 'log', data: {}, number: 3 });
  expect(tabs.map(({ heard }) => heard.length)).toEqual([2, 2, 3]); // the second has this line
});

test('another job opens the stream again after the last change', async () => {
  const { sources, current, query, tab } = started();
  const first = tab().follow();
  await soon();
  current().say('open');
  current().say('changed', [], '1-7');
  tab().follow(true, { a: 0 });
  await soon();
  expect(sources.map(({ isOpen }) => isOpen)).toEqual([false, true]);
  expect(query().get('after')).toBe('1-7');
  current().say('open');
  expect(first.heard.at(-1)).toEqual({ kind: 'live', isNew: false });
});

test('a hidden tab receives what it has missed when it is visible again', async () => {
  const { current, tab } = started();
  tab().follow();
  const hidden = tab().follow(false);
  await soon();
  current().say('open');
  current().say('changed', ['datasets'], '1-1');
  current().say('changed', ['train', 'datasets'], '1-2');
  expect(hidden.heard).toEqual([{ kind: 'live', isNew: true }]);
  hidden.follow(true);
  expect(hidden.heard.at(-1)).toEqual({ kind: 'changed', topics: ['datasets', 'train'] });
});

test('without a visible tab, the stream is closed', async () => {
  const { sources, current, tab } = started();
  const [first, second] = [tab().follow(), tab().follow()];
  await soon();
  first.follow(false);
  await soon();
  expect(current().isOpen).toBe(true);
  second.crash();
  await soon();
  expect(current().isOpen).toBe(false);
  first.follow(true);
  await soon();
  expect(sources.length).toBe(2);
  first.tell({ kind: 'leave' });
  await soon();
  expect(current().isOpen).toBe(false);
});

test('a stream that cannot be opened again is lost until it can', async () => {
  const { sources, current, tab } = started();
  const { heard } = tab().follow();
  await soon();
  current().say('open');
  current().say('changed', [], '1-7');
  current().say('error');
  expect(heard.map(({ kind }) => kind)).toEqual(['live']);
  await vi.advanceTimersByTimeAsync(250);
  current().say('error');
  await vi.advanceTimersByTimeAsync(0);
  expect(heard.at(-1)).toEqual({ kind: 'lost', refusal: null });
  await vi.advanceTimersByTimeAsync(1000);
  expect(sources.length).toBe(3);
  current().say('open');
  expect(heard.at(-1)).toEqual({ kind: 'live', isNew: false });
});

test('a refused stream is opened again when the server allows it', async () => {
  const refusal = { title: 'Too many.', advice: 'Close some.', seconds: 10 };
  const { sources, current, tab } = started(refusal);
  const { heard } = tab().follow();
  await soon();
  current().say('error');
  await vi.advanceTimersByTimeAsync(250);
  current().say('error');
  await vi.advanceTimersByTimeAsync(0);
  expect(heard).toEqual([{ kind: 'lost', refusal }]);
  await vi.advanceTimersByTimeAsync(9_900);
  expect(sources.length).toBe(2);
  await vi.advanceTimersByTimeAsync(200);
  expect(sources.length).toBe(3);
  current().say('open');
  expect(heard.at(-1)).toEqual({ kind: 'live', isNew: true });
});
