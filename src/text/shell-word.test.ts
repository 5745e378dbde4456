import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeExactly } from './exact-text.js';
import { shellWord } from './shell-word.js';

it('a plain word stands in double quotes, one with what a shell reads in single ones', () => {
  expect(shellWord('/a b/ü;*')).toBe('"/a b/ü;*"');
  expect(shellWord("it's $HOME")).toBe("'it'\\''s $HOME'");
  expect(shellWord('a\nb\udcff\\')).toBe("$'a\\x0ab\\xff\\\\'");
});

it('bash reads the bytes that were meant', () => {
  const words = fc.sample(
    fc.oneof(
      fc.uint8Array({ min: 1, maxLength: 20 }),
      fc
        .string({
          unit: fc.constantFrom(
            '"',
            "'",
            '$',
            '`',
            '\\',
            '!',
            'x',
            '4',
            ' ',
            '\n',
            '*',
            'ü',
            '😀',
            '\u2028',
            '\u202f',
            '~',
            '#',
          ),
          maxLength: 20,
        })
        .map((text) => Buffer.from(text)),
    ),
    500,
  );
  const script = `printf '%s\\0' ${words.map((word) => shellWord(decodeExactly(word))).join(' ')}`;
  const printed = execFileSync('bash', ['-c', script]);
  expect(printed.equals(Buffer.concat(words.flatMap((word) => [Buffer.from(word), Buffer.from([0])])))).toBe(true);
});
