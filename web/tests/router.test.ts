import { expect, test } from 'vitest';
import { matchRoute } from '../src/state/route_pattern';

test('a pattern gives the parts of an address by name', () => {
  expect(matchRoute('/runs/:id', '/runs/a%20b')).toEqual({ id: 'a b' });
  expect(matchRoute('/', '/')).toEqual({});
});

test('another page does not match', () => {
  expect(matchRoute('/runs/:id', '/runs')).toBeNull();
  expect(matchRoute('/runs', '/datasets')).toBeNull();
});
