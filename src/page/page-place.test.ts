import { describe, expect, it } from 'vitest';
import { isClfsError } from '../error.js';
import { addressOf, isAtHome, pagePlace } from './page-place.js';

describe('where a page is served', () => {
  it.each([
    ['', '127.0.0.1', 0],
    ['8080', '127.0.0.1', 8080],
    [':8080', '127.0.0.1', 8080],
    ['localhost:0', 'localhost', 0],
    ['host:', 'host', 0],
    ['0.0.0.0:80', '0.0.0.0', 80],
    ['[::1]:80', '::1', 80],
  ])('%j', (listen, host, port) => {
    expect(pagePlace(listen)).toMatchObject({ host, port });
  });

  it.each(['host', 'host:x', '::1:80', '1.2.3.4:99999', '-1'])('is refused: %j', (listen) => {
    expect(() => pagePlace(listen)).toThrow(expect.toSatisfy((error) => isClfsError(error, 'usage')));
  });

  it('has a token of its own each time, or the one that was chosen', () => {
    const tokens = new Set(Array.from({ length: 50 }, () => pagePlace().token));
    expect(tokens.size).toBe(50);
    for (const token of tokens) expect(token).toMatch(/^[\w-]{32}$/);
    expect(pagePlace('', 'chosen-by-the-user_1').token).toBe('chosen-by-the-user_1');
    for (const token of ['short', 'with space and more', 'with/slash/and/more/of/it', 'x'.repeat(129)])
      expect(() => pagePlace('', token)).toThrow(/16 to 128 characters/);
  });

  it('knows what is beyond this machine', () => {
    expect(['127.0.0.1', '127.1.2.3', 'localhost', '::1'].map(isAtHome)).toEqual([true, true, true, true]);
    expect(['0.0.0.0', '::', '10.0.0.1', '127.evil.example', 'host'].map(isAtHome)).toEqual(new Array(5).fill(false));
    expect(addressOf('::1', 80)).toBe('http://[::1]:80/');
    expect(addressOf('0.0.0.0', 80)).toMatch(/^http:\/\/[^0].*:80\/$/);
  });
});
