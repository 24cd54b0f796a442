import { expect, test } from 'vitest';
import { matchRoute, tabOf } from '../src/state/route_pattern';

test('a pattern returns the parameters of a path', () => {
  expect(matchRoute('/runs/:id', '/runs/a%20b')).toEqual({ id: 'a b' });
  expect(matchRoute('/', '/')).toEqual({});
});

test('a different page does not match', () => {
  expect(matchRoute('/runs/:id', '/runs')).toBeNull();
  expect(matchRoute('/runs', '/datasets')).toBeNull();
  expect(matchRoute('/runs/:id', '/runs/%zz')).toBeNull();
});

test('an address without a tab of the page shows its first tab', () => {
  const tab = (query: string) => tabOf(new URLSearchParams(query), ['result', 'trust']);
  expect([tab('?tab=trust'), tab(''), tab('?tab=gone')]).toEqual(['trust', 'result', 'result']);
});
