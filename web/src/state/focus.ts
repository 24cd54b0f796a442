/** Whether the focus may move into a list that is now shown: it is on no control, or on the link to the list. */
export function isFocusFree(): boolean {
  const focused = document.activeElement;
  return !focused || focused.matches('body, main, a[aria-current]');
}

/** Whether the focus is in a field for text, or in a list, where a key chooses the option that starts with it. */
export function isTyping(): boolean {
  const focused = document.activeElement;
  return !!focused?.matches('input:not([type=checkbox], [type=radio], [type=range]), select, textarea');
}
