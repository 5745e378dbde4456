import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { ClfsError } from '../error.js';
import type { PagePlace } from './server.js';

const HOME = '127.0.0.1';
const TOKEN_BYTES = 24;
const TOKEN = /^[A-Za-z0-9_-]{16,128}$/;

/**
 * Where a page is to be served, and by which token.
 *
 * @param listen `HOST:PORT`, `PORT`, or empty: this machine alone, and a free port
 * @param token what the user has chosen; default: a random one
 * @throws ClfsError `usage`
 */
export function pagePlace(listen = '', token?: string): PagePlace {
  const [, bracketed, plain, digits] = /^(?:(?:\[([^\]]*)\]|([^:]*)):)?(\d*)$/.exec(listen) ?? [];
  const port = Number(digits || 0);
  if (digits === undefined || port > 65_535)
    throw new ClfsError(
      'usage',
      `The place of a page is HOST:PORT, [IPV6]:PORT or PORT, not ${JSON.stringify(listen)}.`,
    );
  if (token !== undefined && !TOKEN.test(token))
    throw new ClfsError(
      'usage',
      'The token of the page is to have 16 to 128 characters: letters, digits, "-" and "_".',
    );
  return { host: bracketed || plain || HOME, port, token: token ?? randomBytes(TOKEN_BYTES).toString('base64url') };
}

/** Whether nobody but this machine can reach an address. */
export function isAtHome(host: string): boolean {
  const name = host.toLowerCase();
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'));
}

/** Where a browser finds what listens there, without the token. */
export function addressOf(host: string, port: number): string {
  const isAnywhere = host === '0.0.0.0' || host === '::';
  const name = isAnywhere ? hostname() : isIP(host) === 6 ? `[${host}]` : host;
  return `http://${name}:${port}/`;
}
