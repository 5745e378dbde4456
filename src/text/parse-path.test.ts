import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isClfsError } from '../error.js';
import { escapePath, escapeText } from './escape-path.js';
import { decodeExactly, encodeExactly, isUtf8 } from './exact-text.js';
import { HEX_PREFIX, parseHexPath, parseShownPath, parseTreePath } from './parse-path.js';

const RUNS = { numRuns: 5000 };
/** Of what the two ways to read a text can be confused by. */
const tricky = fc
  .array(
    fc.constantFrom(
      '\\',
      '\\\\',
      '\\x',
      '4',
      '1',
      'f',
      '\\xff',
      '\\xFF',
      '\\x41',
      '\\n',
      '/',
      ' ',
      'ü',
      '\u009b',
      '\ufffd',
      '\n',
      '-',
      HEX_PREFIX,
    ),
    {
      maxLength: 12,
    },
  )
  .map((parts) => parts.join(''));
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .array(fc.constantFrom(0x5c, 0x78, 0x34, 0x31, 0x66, 0xff, 0xc3, 0xbc, 0xed, 0xa0, 0x80, 0xf0, 0x9f, 0x98, 0x0a), {
      maxLength: 40,
    })
    .map((given) => Uint8Array.from(given)),
  tricky.map((text) => Uint8Array.from(Buffer.from(text))),
);

describe('bytes as text that loses none', () => {
  it('are the same bytes again', () => {
    fc.assert(
      fc.property(bytes, (given) => {
        expect(encodeExactly(decodeExactly(given)).equals(given)).toBe(true);
        expect(isUtf8(decodeExactly(given))).toBe(Buffer.from(Buffer.from(given).toString()).equals(given));
      }),
      RUNS,
    );
  });

  it('every single byte, and every pair of bytes', () => {
    for (let first = 0; first < 256; first++) {
      for (let second = 0; second < 256; second++) {
        const pair = Buffer.from([first, second]);
        if (!encodeExactly(decodeExactly(pair)).equals(pair)) expect.fail(pair.toString('hex'));
        if (!parseShownPath(escapePath(pair)).equals(pair)) expect.fail(pair.toString('hex'));
      }
    }
  });

  it('stand as \\xNN where a person sees them', () => {
    expect(decodeExactly(Buffer.from([0x61, 0xff, 0xc3, 0xbc]))).toBe('a\udcffü');
    expect(escapeText(`unknown flag: ${decodeExactly(Buffer.from([0x61, 0xff]))}`)).toBe('unknown flag: a\\xff');
  });
});

describe('a path as it is shown', () => {
  it('is read as the bytes that it shows', () => {
    fc.assert(
      fc.property(bytes, (given) => {
        expect(parseShownPath(escapePath(given)).equals(given)).toBe(true);
        expect(parseTreePath(escapePath(Buffer.concat([Buffer.from('d/'), given])))).toEqual(
          Buffer.concat([Buffer.from('d/'), given]),
        );
        expect(parseHexPath(`${HEX_PREFIX}${Buffer.from(given).toString('hex')}`)?.equals(given)).toBe(true);
      }),
      RUNS,
    );
  });

  it('what is never shown stands for itself, and nothing else does', () => {
    let literal = 0;
    fc.assert(
      fc.property(tricky, (text) => {
        const read = parseShownPath(text);
        if (escapePath(read) === text) return;
        literal++;
        expect(read.equals(encodeExactly(text))).toBe(true);
      }),
      RUNS,
    );
    expect(literal).toBeGreaterThan(100);
  });

  it.each([
    ['back\\slash', 'back\\slash'],
    ['back\\\\slash', 'back\\slash'],
    ['\\x41', '\\x41'],
    ['\\\\x41', '\\x41'],
    ['a\\x0ab', 'a\nb'],
    ['a\\nb', 'a\\nb'],
    ['a\nb\\\\', 'a\nb\\\\'],
    ['\\x0A', '\\x0A'],
    ['lone\\and\\x0a', 'lone\\and\\x0a'],
    ['\\', '\\'],
    ['\\\\', '\\'],
    ['\\\\\\', '\\\\\\'],
    ['\\x0', '\\x0'],
    ['hex:41', 'hex:41'],
  ])('%j is %j', (text, path) => {
    expect(parseTreePath(text).toString()).toBe(path);
  });

  it('no name that is shown is read as hexadecimal digits', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          bytes,
          tricky.map((text) => Buffer.from(text)),
        ),
        (given) => {
          const name = Buffer.concat([Buffer.from('hex:'), Buffer.from(given).filter((byte) => byte !== 0x2f)]);
          expect(parseTreePath(escapePath(name)).equals(name)).toBe(true);
        },
      ),
      RUNS,
    );
  });

  it('digits that are none are an error that says how to go on', () => {
    for (const text of ['hex://4', 'hex://4g', 'hex://41/42', 'hex://41 ']) {
      let error: unknown;
      try {
        parseTreePath(text);
      } catch (thrown) {
        error = thrown;
      }
      expect(isClfsError(error, 'usage')).toBe(true);
      expect((error as Error).message).toMatch(/pairs of hexadecimal digits.*\.\/hex:\/\//);
    }
    expect(parseTreePath('hex://fF')).toEqual(Buffer.from([0xff]));
    expect(parseTreePath('./hex://41').toString()).toBe('./hex://41');
  });
});
