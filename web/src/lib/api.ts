// The one door to the server. Types come from its OpenAPI document, so a page can ask for nothing that is not there.
import createClient from 'openapi-fetch';
import type { paths } from '../api/schema';
import { texts } from '../texts';

export const api = createClient<paths>({ baseUrl: '' });

/** What went wrong, as the server says it (RFC 9457), ready to be shown. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly advice: string = '',
    readonly file: string = '',
    readonly errors: readonly FieldError[] = [],
  ) {
    super([title, file, advice].filter(Boolean).join(' '));
  }
}

/** Which part of a request is wrong; sections of a recipe are parted by dots. */
export interface FieldError {
  field: string;
  message: string;
}

interface ProblemBody {
  title?: string;
  detail?: string;
  do?: string | null;
  file?: string | null;
  errors?: FieldError[] | null;
}

/** The answer of a call, or its problem thrown. */
export async function answer<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  let result: { data?: T; error?: unknown; response: Response };
  try {
    result = await call;
  } catch {
    throw new Problem(0, texts.general.silent.title, texts.general.silent.advice);
  }
  if (!result.response.ok) {
    const body = (result.error ?? {}) as ProblemBody;
    throw new Problem(
      result.response.status,
      body.title ?? body.detail ?? result.response.statusText,
      body.do ?? '',
      body.file ?? '',
      body.errors ?? [],
    );
  }
  return result.data as T;
}
