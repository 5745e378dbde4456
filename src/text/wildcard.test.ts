import { describe, expect, it } from 'vitest';
import { decodeExactly } from './exact-text.js';
import { wildcard } from './wildcard.js';

const BYTE = decodeExactly(Buffer.from([0xff]));

describe('a wildcard', () => {
  it.each([
    ['*', ['', 'a', '.a', 'a\nb', BYTE], []],
    ['*.csv', ['a.csv', '.csv', 'a.csv.csv'], ['a.csvx', 'a_csv']],
    ['a*b*c', ['abc', 'aXbbXcc'], ['ab', 'acb']],
    ['?', ['a', 'é', '😀', '\n', BYTE], ['', 'ab']],
    ['f[0-9a]', ['f0', 'f9', 'fa'], ['fb', 'f', 'f0a']],
    ['[!a-c]x', ['dx', '😀x', `${BYTE}x`], ['ax', 'cx', 'x']],
    ['[^a]', ['b'], ['a', '^a']],
    ['[]a]', [']', 'a'], ['[]a]']],
    ['[!]a]', ['b'], [']', 'a']],
    ['[a-]', ['a', '-'], ['b']],
    ['[\\]-]', [']', '-'], ['\\']],
    ['[a', ['[a'], ['a']],
    [`${BYTE}*`, [BYTE, `${BYTE}a`], ['\ufffd', 'ÿ']],
    ['a\\*', ['a*'], ['ab', 'a\\b']],
    ['a\\', ['a\\'], ['a']],
  ])('%j stands for %j and not for %j', (pattern, names, others) => {
    expect(names.filter((name) => !wildcard(pattern)(name))).toEqual([]);
    expect(others.filter((name) => wildcard(pattern)(name))).toEqual([]);
  });

  it.each([
    ['report(1).pdf', 'report1.pdf'],
    ['?(x)', 'x'],
    ['*(x)', 'xx'],
    ['(a|b)', 'a'],
    ['"a"', 'a'],
    ['{a,b}', 'a'],
    ['!a', 'b'],
    ['./a', 'a'],
    ['a+', 'aa'],
    ['', 'a'],
  ])('%j has no other sign: it does not stand for %j, but for itself', (pattern, name) => {
    expect(wildcard(pattern)(name)).toBe(false);
    expect(wildcard(pattern)(pattern.replace(/[?*]/u, '*'))).toBe(true);
  });

  it('takes no long time, however many stars there are', () => {
    const begin = performance.now();
    expect(wildcard(`${'*a'.repeat(100)}b`)('a'.repeat(255))).toBe(false);
    expect(performance.now() - begin).toBeLessThan(1000);
  });
});
