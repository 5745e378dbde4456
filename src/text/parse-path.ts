import { ClfsError } from '../error.js';
import { escapePath, quotePath } from './escape-path.js';
import { encodeExactly } from './exact-text.js';

/**
 * What stands before the bytes of a path in hexadecimal digits. No path that is shown begins so: none has an empty
 * component.
 */
export const HEX_PREFIX = 'hex://';

/** The sequences that {@link escapePath} writes, and what stands between them. */
const PIECES = /\\\\|\\x[0-9a-f]{2}|[^\\]+/g;

/**
 * The bytes of a path as {@link escapePath} shows it: its inverse.
 *
 * What it never writes (a backslash before something else, `\x41` for a printable character, upper-case digits) stands
 * for itself, so a text has one meaning only, and a name whose backslashes are alone can be given as it is.
 *
 * @param text lone surrogates are bytes, as `decodeExactly` has them
 */
export function parseShownPath(text: string): Buffer {
  const literal = encodeExactly(text);
  if (!text.includes('\\')) return literal;
  const pieces = text.match(PIECES) ?? [];
  const bytes = Buffer.concat(pieces.map(bytesOf));
  return escapePath(bytes) === text ? bytes : literal;
}

function bytesOf(piece: string): Buffer {
  if (piece === '\\\\') return Buffer.from('\\');
  return piece.startsWith('\\x') ? Buffer.from(piece.slice(2), 'hex') : encodeExactly(piece);
}

/**
 * The bytes of a path that is given as `hex://` and hexadecimal digits; undefined when it is not. @throws ClfsError
 * `usage` when the digits are none
 */
export function parseHexPath(text: string): Buffer | undefined {
  if (!text.startsWith(HEX_PREFIX)) return undefined;
  const digits = text.slice(HEX_PREFIX.length);
  if (!/^([0-9a-f]{2})*$/i.test(digits))
    throw new ClfsError(
      'usage',
      `Cannot read the path ${quotePath(encodeExactly(text))}: behind ${HEX_PREFIX} stand pairs of hexadecimal digits, such as those of "path_hex". A path that begins with these letters is written ./${HEX_PREFIX}…`,
    );
  return Buffer.from(digits, 'hex');
}

/** A path in a tree as an argument gives it: in hexadecimal digits, or as it is shown. @throws ClfsError `usage` */
export function parseTreePath(text: string): Buffer {
  return parseHexPath(text) ?? parseShownPath(text);
}
