import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { JobMessage } from '../src/api/events';
import { Stream } from '../src/state/stream.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A connection whose messages the test sends. */
class Spoken {
  requests: [id: string, number: number][] = [];
  #listener: ((message: JobMessage) => void) | null = null;
  followJob(id: string, number: number, listener: (message: JobMessage) => void): () => void {
    this.requests.push([id, number]);
    this.#listener = listener;
    return () => (this.#listener = null);
  }
  get isFollowed(): boolean {
    return this.#listener !== null;
  }
  say(event: string, data: unknown = null, number: number | null = null): void {
    this.#listener?.({ id: 'a', event, data, number } as JobMessage);
  }
}

function following() {
  const spoken = new Spoken();
  const heard: [string, unknown][] = [];
  const it = new Stream<{ state: string; log: { n: number } }>(
    { state: (state) => heard.push(['state', state]), log: (line) => heard.push(['log', line.n]) },
    spoken,
  );
  it.follow('a');
  return { it, spoken, heard };
}

test('events keep their order and are delivered together', async () => {
  const { spoken, heard } = following();
  spoken.say('state', 'running');
  spoken.say('log', { n: 1 }, 1);
  spoken.say('unknown');
  expect(heard).toEqual([]);
  await vi.advanceTimersByTimeAsync(100);
  expect(heard).toEqual([
    ['state', 'running'],
    ['log', 1],
  ]);
});

test('closing delivers received events and follows no longer', () => {
  const { it, spoken, heard } = following();
  spoken.say('state', 'done');
  it.close();
  expect(heard).toEqual([['state', 'done']]);
  expect(spoken.isFollowed).toBe(false);
});

test('the same job continues after the last line of its log; another job starts at its beginning', () => {
  const { it, spoken, heard } = following();
  spoken.say('log', { n: 3 }, 3);
  spoken.say('log', { n: 2 }, 2); // another tab needed it
  it.follow('a');
  it.follow('b');
  expect(spoken.requests).toEqual([
    ['a', 0],
    ['a', 3],
    ['b', 0],
  ]);
  expect(heard).toEqual([['log', 3]]);
});
