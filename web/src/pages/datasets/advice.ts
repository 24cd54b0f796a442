import { plain } from '../../lib/plain';

const NOTHING = 'Nothing to fix was found.';

/** Advice as the pages show it. */
export function adviceForPages(advice: string[]): string[] {
  return advice.filter((text) => text !== NOTHING).map(plain);
}
