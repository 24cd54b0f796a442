// The one door to the server. Types come from its OpenAPI document, so a page can ask for nothing that is not there.
import createClient from 'openapi-fetch';
import type { components, paths } from './schema';
import { silent, notifyOtherTabs } from './signals';

export const api = createClient<paths>({ baseUrl: '', fetch: fetchPatiently });

const ONLY_ASKED = /-preview$|\/recipe\/|\/classify$|\/explanation$/; // sent as bodies, and change nothing

api.use({
  onResponse({ request, response }) {
    const isChange = request.method !== 'GET' && response.ok;
    if (isChange && !ONLY_ASKED.test(new URL(request.url).pathname)) notifyOtherTabs();
  },
});

const MOST_REPEATS = 3;

/** Fetch; where the server did nothing and says when to come back, such as while its database is in use, do so. */
export async function fetchPatiently(request: Request): Promise<Response> {
  for (let n = 0; ; n += 1) {
    const response = await fetch(request.clone());
    const seconds = response.headers.get('Retry-After');
    if (response.status !== 503 || seconds === null || n === MOST_REPEATS) return response;
    await response.body?.cancel();
    await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000));
  }
}

/** What can be done about a message, as data. */
export type Remedy = components['schemas']['Note']['remedies'][number];

/** What went wrong, as the server says it (RFC 9457). Where there was no answer at all, `status` is 0. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string = '',
    readonly advice: string = '',
    readonly file: string = '',
    readonly errors: readonly FieldError[] = [],
    readonly remedies: readonly Remedy[] = [],
  ) {
    super([title, file, advice].filter(Boolean).join(' '));
  }
}

/** Which part of a request is wrong; sections of a recipe are parted by dots. */
export interface FieldError {
  field: string;
  message: string;
  line?: number | null; // in a text that was sent, from 1
}

/** A failure that is part of an answer. */
export function problemFrom({ what, do: advice, file, remedies }: components['schemas']['Failure']): Problem {
  return new Problem(422, `${what}.`, advice, file ?? '', [], remedies);
}

interface ProblemBody {
  title?: string;
  detail?: string;
  do?: string | null;
  file?: string | null;
  errors?: FieldError[] | null;
  remedies?: Remedy[] | null;
}

/** The problem in the body of an answer, parsed; whoever stands between may send something else. */
export function problemOf(status: number, statusText: string, body: unknown): Problem {
  const problem = (typeof body === 'object' ? body : null) as ProblemBody | null;
  return new Problem(
    status,
    problem?.title ?? problem?.detail ?? statusText,
    problem?.do ?? '',
    problem?.file ?? '',
    problem?.errors ?? [],
    problem?.remedies ?? [],
  );
}

/** The answer of a call, or its problem thrown. A call given up throws the `AbortError` of its signal. */
export async function answer<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  let result: { data?: T; error?: unknown; response: Response };
  try {
    result = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    silent.tell();
    throw new Problem(0);
  }
  const { response } = result;
  if (!response.ok) throw problemOf(response.status, response.statusText, result.error);
  return result.data as T;
}

interface Page<T> {
  items: T[];
  total: number;
}

const MOST_AT_ONCE = 2000;

/** A whole list, fetched page by page. */
export async function every<T>(
  call: (query: {
    offset: number;
    limit: number;
  }) => Promise<{ data?: Page<T>; error?: unknown; response: Response }>,
): Promise<Page<T>> {
  const items: T[] = [];
  let page: Page<T>;
  do {
    page = await answer(call({ offset: items.length, limit: MOST_AT_ONCE }));
    items.push(...page.items);
  } while (page.items.length && items.length < page.total);
  return { items, total: items.length };
}

/** Send a body and tell how many of its bytes have gone, which fetch can't. */
export function send(
  url: string,
  body: Blob,
  onbytes: (sent: number) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('PUT', url);
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.upload.onprogress = (event) => onbytes(event.loaded);
    request.onload = () => {
      if (request.status < 300) resolve();
      else reject(problemOf(request.status, request.statusText, parsed(request.responseText)));
    };
    request.onerror = () => reject(new Problem(0));
    request.onabort = () => reject(new DOMException('', 'AbortError'));
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(body);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // not every server in between speaks JSON
  }
}

/** An address below the API, for pictures, downloads and event streams. */
export function at(...parts: (string | number)[]): string {
  return `/api/v1/${parts.map((part) => encodeURIComponent(part)).join('/')}`;
}
