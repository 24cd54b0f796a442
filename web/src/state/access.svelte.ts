// What the role of the user allows in the project of this address. Without accounts, everything is allowed.
import type { Attachment } from 'svelte/attachments';
import type { components } from '../api/schema';

type Role = components['schemas']['Session']['role'];

/** The role that the server has written into the page; null: it has no accounts. */
const written = globalThis.document?.querySelector('base')?.dataset.role as Role | undefined;

class Access {
  /** Whether a server with accounts sends the pages, which usually is another computer. */
  readonly hasAccounts = written !== undefined;
  role = $state<Role>(written ?? 'editor');

  /** Whether the user may label, correct and exclude images. */
  get canLabel(): boolean {
    return this.role !== 'viewer';
  }

  /** Whether the user may change everything. */
  get canEdit(): boolean {
    return this.role === 'editor';
  }
}

export const access = new Access();

const shownIf =
  (isAllowed: () => boolean): Attachment<HTMLElement> =>
  (element) => {
    element.hidden = !isAllowed();
  };

/** Hide an element, for example a button, from users who may not label. */
export const forAnnotators = shownIf(() => access.canLabel);

/** Hide an element from users who may not change everything. */
export const forEditors = shownIf(() => access.canEdit);
