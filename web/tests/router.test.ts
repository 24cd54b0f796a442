import { expect, test } from 'vitest';
import { matched } from '../src/state/route_pattern';

test('a pattern gives the parts of an address by name', () => {
  expect(matched('/runs/:id', '/runs/a%20b')).toEqual({ id: 'a b' });
  expect(matched('/', '/')).toEqual({});
});

test('another page does not match', () => {
  expect(matched('/runs/:id', '/runs')).toBeNull();
  expect(matched('/runs', '/datasets')).toBeNull();
});
