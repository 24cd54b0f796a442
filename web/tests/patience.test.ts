import { afterEach, expect, test, vi } from 'vitest';
import { fetchPatiently } from '../src/api/client';

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
  const { status } = await fetchPatiently(new Request('http://x/', { method: 'PATCH', body: 'name' }));
  return [status, sent];
}

test('a request that the server is too busy for is sent again, with its body', async () => {
  expect(await sentTo(2, { 'Retry-After': '0' })).toEqual([200, ['PATCH name', 'PATCH name', 'PATCH name']]);
});

test('it is sent again three times, and only where the server says when', async () => {
  const [status, sent] = await sentTo(9, { 'Retry-After': '0' });
  expect([status, sent.length]).toEqual([503, 4]);
  expect(await sentTo(1, {})).toEqual([503, ['PATCH name']]);
});
