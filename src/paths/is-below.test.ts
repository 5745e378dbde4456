import { expect, it } from 'vitest';
import { isAtOrBelow, isBelow } from './is-below.js';

it.each([
  ['a/b', 'a', 'below'],
  ['a/b/c', 'a/b', 'below'],
  ['a', 'a', 'at'],
  ['ab', 'a', 'elsewhere'],
  ['b/b', 'a', 'elsewhere'],
  ['a', 'a/b', 'elsewhere'],
  ['a', '', 'below'],
  ['', '', 'at'],
  ['/a', '/', 'below'],
  ['/', '/', 'at'],
  ['/', '/a', 'elsewhere'],
  ['/ab', '/a', 'elsewhere'],
])('%j and the directory %j: %s', (path, directory, where) => {
  const [one, other] = [Buffer.from(path), Buffer.from(directory)];
  expect(isAtOrBelow(one, other)).toBe(where !== 'elsewhere');
  expect(isBelow(one, other)).toBe(where === 'below');
});
