import { resolve } from 'node:path';
import { ClfsError } from '../error.js';
import { quotePath } from '../text/escape-path.js';
import { decodeExactly, encodeExactly } from '../text/exact-text.js';
import { realPathOf } from './real-path.js';

/** A directory, and what it is to be. */
export interface NamedPlace {
  readonly what: string;
  /** Without symlinks, as text of `decodeExactly`: see `realPathOf`. */
  readonly realPath: string;
}

/** Finds out where a directory really is, as far as it is there. @param path as text or as bytes */
export async function namedPlace(what: string, path: string | Uint8Array): Promise<NamedPlace> {
  return { what, realPath: await realPathOf(resolve(typeof path === 'string' ? path : decodeExactly(path))) };
}

/**
 * Refuses directories that lie inside one another.
 *
 * @throws ClfsError `usage`
 */
export function requireApart(first: NamedPlace, second: NamedPlace): void {
  requireNotInside(first, second);
  requireNotInside(second, first);
}

/** Refuses a place that is another one, or lies inside it. @throws ClfsError `usage` */
export function requireNotInside(first: NamedPlace, second: NamedPlace): void {
  const [a, b] = [first.realPath, second.realPath];
  if (a === b)
    throw new ClfsError('usage', `The ${first.what} and the ${second.what} are both ${quoted(a)}. Keep them apart.`);
  if (isInside(a, b))
    throw new ClfsError(
      'usage',
      `The ${first.what} ${quoted(a)} is inside the ${second.what} ${quoted(b)}. Keep them apart.`,
    );
}

function quoted(path: string): string {
  return quotePath(encodeExactly(path));
}

function isInside(path: string, parent: string): boolean {
  return path.startsWith(parent === '/' ? '/' : `${parent}/`);
}
