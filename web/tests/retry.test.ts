import { afterEach, expect, test, vi } from 'vitest';
import { fetchWithRetry } from '../src/api/client';

afterEach(() => void vi.unstubAllGlobals());

/**
 * Send a request to a server that is busy for the first `nBusy` requests. Return the status and the received
 * requests.
 */
async function sentTo(nBusy: number, headers: Record<string, string>): Promise<[number, string[]]> {
  const sent: string[] = [];
  vi.stubGlobal('fetch', async (request: Request) => {
    sent.push(`${request.method} ${await request.text()}`);
    return new Response('{}', sent.length <= nBusy ? { status: 503, headers } : {});
  });
  const { status } = await fetchWithRetry(new Request('http://x/', { method: 'PATCH', body: 'name' }));
  return [status, sent];
}

test('a request to a busy server is repeated with its body', async () => {
  expect(await sentTo(2, { 'Retry-After': '0' })).toEqual([200, ['PATCH name', 'PATCH name', 'PATCH name']]);
});

test('a request is repeated at most three times, and only with Retry-After', async () => {
  const [status, sent] = await sentTo(9, { 'Retry-After': '0' });
  expect([status, sent.length]).toEqual([503, 4]);
  expect(await sentTo(1, {})).toEqual([503, ['PATCH name']]);
});
