import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Stream, type Source } from '../src/state/stream.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A stream whose events the test sends. */
class Spoken implements Source {
  readyState = 1;
  readonly #listeners = new Map<string, (event: MessageEvent<string>) => void>();
  constructor(readonly url: string) {}
  addEventListener(kind: string, listener: (event: MessageEvent<string>) => void): void {
    this.#listeners.set(kind, listener);
  }
  close(): void {
    this.readyState = 2;
  }
  say(kind: string, data: unknown = null, lastEventId = ''): void {
    this.#listeners.get(kind)?.({ data: JSON.stringify(data), lastEventId } as MessageEvent<string>);
  }
}

function listening() {
  const sources: Spoken[] = [];
  const heard: [string, unknown][] = [];
  const it = new Stream<{ state: string; log: { n: number } }>(
    { state: (state) => heard.push(['state', state]), log: (line) => heard.push(['log', line.n]) },
    (url) => {
      const source = new Spoken(url);
      sources.push(source);
      return source;
    },
  );
  it.connect('/events');
  return { it, sources, heard };
}

test('events keep their order and are delivered together', async () => {
  const { sources, heard } = listening();
  sources[0]!.say('state', 'running');
  sources[0]!.say('log', { n: 1 });
  sources[0]!.say('unknown');
  expect(heard).toEqual([]);
  await vi.advanceTimersByTimeAsync(100);
  expect(heard).toEqual([
    ['state', 'running'],
    ['log', 1],
  ]);
});

test('a lost connection is shown, and the browser reconnects', () => {
  const { it, sources } = listening();
  sources[0]!.readyState = 0;
  sources[0]!.say('error');
  expect(it.isConnected).toBe(false);
  sources[0]!.say('open');
  expect(it.isConnected).toBe(true);
  expect(sources.length).toBe(1);
});

test('a refused stream is retried after the last event', async () => {
  const { it, sources, heard } = listening();
  sources[0]!.say('log', { n: 7 }, '7');
  sources[0]!.close();
  sources[0]!.say('error');
  expect(heard).toEqual([['log', 7]]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(sources[1]!.url).toBe('/events?after=7');
  sources[1]!.close();
  sources[1]!.say('error');
  await vi.advanceTimersByTimeAsync(1999);
  expect(sources.length).toBe(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(sources.length).toBe(3);
  expect(it.isConnected).toBe(false);
});

test('closing delivers received events and does not reconnect', async () => {
  const { it, sources, heard } = listening();
  sources[0]!.say('state', 'done');
  it.close();
  expect(heard).toEqual([['state', 'done']]);
  expect(sources[0]!.readyState).toBe(2);
  sources[0]!.say('error');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sources.length).toBe(1);
});

test('the same address continues after the last event; another address starts at its beginning', () => {
  const { it, sources } = listening();
  sources[0]!.say('log', { n: 3 }, '3');
  it.connect('/events');
  expect(sources[1]!.url).toBe('/events?after=3');
  it.connect('/others?x=1');
  expect(sources[2]!.url).toBe('/others?x=1');
});
