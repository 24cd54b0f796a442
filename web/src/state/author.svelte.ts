// The name of the person who labels in this browser, which is sent with every change.
import { AUTHOR_KEY } from '../api/client';

export const author = $state({ name: localStorage.getItem(AUTHOR_KEY) ?? '' });

export function setAuthor(name: string): void {
  author.name = name.trim();
  localStorage.setItem(AUTHOR_KEY, author.name);
}
