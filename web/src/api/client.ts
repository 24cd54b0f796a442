// Client of the REST API. Types come from its OpenAPI document, so the compiler rejects unknown requests.
import createClient from 'openapi-fetch';
import type { components, paths } from './schema';
import { noResponse, notifyOtherTabs } from './signals';

export const api = createClient<paths>({
  baseUrl: '.',
  fetch: fetchWithRetry,
});

/** Where the browser stores the name of the person who labels, which is the author of every change. */
export const AUTHOR_KEY = 'coverslip.author';

const READ_ONLY = /previews?$|\/recipe\/|\/computations$/; // requests with a body that change nothing

/** A name as the value of a header: its UTF-8 bytes. */
const asHeader = (name: string) => String.fromCharCode(...new TextEncoder().encode(name));

api.use({
  onRequest({ request }) {
    const name = localStorage.getItem(AUTHOR_KEY);
    if (name) request.headers.set('X-Author', asHeader(name));
  },
  onResponse({ request, response }) {
    if (response.status === 401) window.location.reload(); // the session has ended: the page asks to sign in
    const isChange = request.method !== 'GET' && response.ok;
    if (isChange && !READ_ONLY.test(new URL(request.url).pathname)) notifyOtherTabs();
  },
});

const MAX_RETRIES = 3;

/**
 * Fetch. If the server did nothing and sends `Retry-After` (for example while its database is in use), repeat
 * the request after that time.
 */
export async function fetchWithRetry(request: Request): Promise<Response> {
  for (let n = 0; ; n += 1) {
    const response = await fetch(request.clone());
    const seconds = response.headers.get('Retry-After');
    if (response.status !== 503 || seconds === null || n === MAX_RETRIES) return response;
    await response.body?.cancel();
    await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000));
  }
}

/** An action that solves the problem of a message, as data. */
export type Remedy = components['schemas']['Note']['remedies'][number];

/** An error of the server (RFC 9457). `status` is 0 if there was no response. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string = '',
    readonly advice: string = '',
    readonly file: string = '',
    readonly errors: readonly FieldError[] = [],
    readonly remedies: readonly Remedy[] = [],
    readonly code: string = '',
  ) {
    super([title, file, advice].filter(Boolean).join(' '));
  }
}

/** Whether a request was refused because somebody else has changed what it would change. */
export const isOutdated = (problem: unknown) => problem instanceof Problem && problem.status === 412;

/** An invalid field of a request. Dots separate the sections of a recipe. */
export interface FieldError {
  field: string;
  message: string;
  line?: number | null; // line of a text in the request, from 1
}

/** The problem of a failure that is part of a successful response. */
export function problemFrom({ what, do: advice, file, remedies }: components['schemas']['Failure']): Problem {
  return new Problem(422, `${what}.`, advice, file ?? '', [], remedies);
}

interface ProblemBody {
  code?: string | null;
  title?: string;
  detail?: string;
  do?: string | null;
  file?: string | null;
  errors?: FieldError[] | null;
  remedies?: Remedy[] | null;
}

/** The problem in the body of a response, parsed. A proxy may send another kind of body. */
export function problemOf(status: number, statusText: string, body: unknown): Problem {
  const problem = (typeof body === 'object' ? body : null) as ProblemBody | null;
  return new Problem(
    status,
    problem?.title ?? problem?.detail ?? statusText,
    problem?.do ?? '',
    problem?.file ?? '',
    problem?.errors ?? [],
    problem?.remedies ?? [],
    problem?.code ?? '',
  );
}

/**
 * Return the data of a response, or throw its problem. A canceled call throws the `AbortError` of its signal.
 */
export async function answer<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  let result: { data?: T; error?: unknown; response: Response };
  try {
    result = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    noResponse.emit();
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

const MAX_PAGE = 2000;

/** Fetch all pages of a list. */
export async function every<T>(
  call: (query: {
    offset: number;
    limit: number;
  }) => Promise<{ data?: Page<T>; error?: unknown; response: Response }>,
): Promise<Page<T>> {
  const items: T[] = [];
  let page: Page<T>;
  do {
    page = await answer(call({ offset: items.length, limit: MAX_PAGE }));
    items.push(...page.items);
  } while (page.items.length && items.length < page.total);
  return { items, total: items.length };
}

/** Send a body and report how many bytes were sent, which `fetch` cannot do. */
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
      else reject(problemOf(request.status, request.statusText, parseJson(request.responseText)));
    };
    request.onerror = () => reject(new Problem(0));
    request.onabort = () => reject(new DOMException('', 'AbortError'));
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(body);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a proxy may not send JSON
  }
}

/** All images that match, by their row ids. */
export interface RowList {
  readonly rows: Uint32Array;
  readonly digest: string | null; // for a change of all of them by filters; null if there is no such change
}

/** Return the row ids of a response, or throw its problem. */
export async function rowIds(
  call: Promise<{ data?: unknown; error?: unknown; response: Response }>,
): Promise<RowList> {
  const rows = new Uint32Array((await answer(call)) as ArrayBuffer);
  return { rows, digest: (await call).response.headers.get('Rows-Digest') };
}

/** An address below the API, for pictures, downloads and event streams. */
export function at(...parts: (string | number)[]): string {
  return `api/v1/${parts.map((part) => encodeURIComponent(part)).join('/')}`;
}

export const readSystem = (signal?: AbortSignal) => answer(api.GET('/api/v1/system', { signal }));
/** Who sends the requests, and the project of this address. */
export const readSession = (signal?: AbortSignal) => answer(api.GET('/api/v1/session', { signal }));
