import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Changed, Refusal } from '../src/api/events';
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
  say(kind: string, data: unknown = null): void {
    this.#listeners.get(kind)?.({ data: JSON.stringify(data) } as MessageEvent<string>);
  }
  change(number: string, topics: string[], jobs: Changed['jobs'] = {}): void {
    this.say('message', { number, topics, jobs });
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
  follow(isVisible = true, jobs: string[] = []): this {
    this.tell({ kind: 'follow', isVisible, jobs });
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
  const tabs = [tab().follow(), tab().follow(true, ['a']), tab().follow(true, ['b', 'a'])];
  await soon();
  expect(sources.length).toBe(1);
  expect(query().getAll('job')).toEqual(['a', 'b']);
  current().say('open');
  current().change('1-7', ['datasets'], { a: { state: 'done' } });
  for (const { heard } of tabs)
    expect(heard).toEqual([
      { kind: 'live', isNew: true },
      { kind: 'changed', topics: ['datasets'], jobs: { a: { state: 'done' } } },
    ]);
});

test('a tab that follows the job of another receives all fields of it, by a new stream', async () => {
  const { sources, query, tab } = started();
  tab().follow(true, ['a']);
  await soon();
  const second = tab().follow(true, ['a']);
  await soon();
  second.follow(true, ['a']);
  await soon();
  expect(sources.length).toBe(2);
  expect(query().getAll('job')).toEqual(['a']);
});

test('another job opens the stream again after the last change', async () => {
  const { sources, current, query, tab } = started();
  const first = tab().follow();
  await soon();
  current().say('open');
  current().change('1-7', []);
  tab().follow(true, ['a']);
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
  current().change('1-1', ['datasets']);
  current().change('1-2', ['train', 'datasets']);
  expect(hidden.heard).toEqual([{ kind: 'live', isNew: true }]);
  hidden.follow(true);
  expect(hidden.heard.at(-1)).toEqual({ kind: 'changed', topics: ['datasets', 'train'], jobs: {} });
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
  current().change('1-7', []);
  current().say('error');
  expect(heard.map(({ kind }) => kind)).toEqual(['live', 'changed']);
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
