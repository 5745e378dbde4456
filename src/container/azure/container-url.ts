import { isIP } from 'node:net';
import { ClfsError } from '../../error.js';

/** A container's address, without its secret. */
export interface ContainerAddress {
  /** `https://host[:port]`. */
  readonly origin: string;
  /** Path of the container, percent-encoded, without a trailing slash: `/container` or `/account/container`. */
  readonly path: string;
  readonly account: string;
  readonly container: string;
}

/** What a container URL says. */
export interface ParsedContainerUrl {
  readonly address: ContainerAddress;
  /** Query of the URL without `?`; empty when it has none. */
  readonly query: string;
}

/** Origin and path: how people and logs see it. */
export function addressText(address: ContainerAddress): string {
  return `${address.origin}${address.path}`;
}

/** Replaces every signature, key, token and password of a URL in a text by `-REDACTED-`. */
export function redact(text: string): string {
  return text
    .replace(/([?&;]|^|\b)(sig)=[^&\s"'<>]*/gi, '$1$2=-REDACTED-')
    .replace(/(sig%3d)[^&\s"'<>]*/gi, '$1-REDACTED-')
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^/\s"'?#@]+@/gi, '$1-REDACTED-@')
    .replace(/\b(Bearer|SharedKey)\s+[^\s"']+/gi, '$1 -REDACTED-')
    .replace(/(AccountKey|client_secret|client_assertion)=[^&;\s"']+/gi, '$1=-REDACTED-');
}

const CONTAINER_NAME = /^(?:\$root|\$web|\$logs|(?=.{3,63}$)[a-z0-9](?:-?[a-z0-9])*)$/;

/**
 * Takes a container URL apart: `https://ACCOUNT.host/CONTAINER?SAS`, or with the account in the path where the host is
 * an address, `localhost`, a name without dots, or the emulators' well-known account is named.
 *
 * @throws ClfsError `usage` when there is no container, or a path to a blob behind it
 */
export function parseContainerUrl(text: string): ParsedContainerUrl {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw notAContainer(text, 'it is not a URL');
  }
  if (url.username !== '' || url.password !== '') throw notAContainer(text, 'it holds a user name or password');
  const segments = url.pathname.split('/').filter((part) => part !== '');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const pathStyle =
    isIP(host) !== 0 || host === 'localhost' || !host.includes('.') || segments[0] === 'devstoreaccount1';
  const other = OTHER_SERVICE.exec(host)?.[1];
  if (other !== undefined)
    throw notAContainer(text, `it is of another service of the account: write ".blob." in place of ".${other}."`);
  const wanted = pathStyle ? 2 : 1;
  if (segments.length < wanted)
    throw notAContainer(text, pathStyle ? 'it names no account and container' : 'it names no container');
  if (segments.length > wanted) throw notAContainer(text, 'it names a blob in the container, not the container');
  let container: string;
  try {
    container = decodeURIComponent(segments[wanted - 1]);
  } catch {
    throw notAContainer(text, 'the name of its container is not rightly percent-encoded');
  }
  if (!CONTAINER_NAME.test(container))
    throw notAContainer(
      text,
      `${JSON.stringify(container)} is no container name (3 to 63 lower-case letters, digits and hyphens)`,
    );
  const account = pathStyle ? segments[0] : host.split('.')[0];
  return {
    address: { origin: url.origin, path: `/${segments.join('/')}`, account, container },
    query: url.search.replace(/^\?/, ''),
  };
}

/** Hosts of an account's other services. */
const OTHER_SERVICE = /^[^.]+\.(dfs|file|queue|table)\.(?:core|storage)\./;

/** Fields that a SAS of a container has beside its signature. */
const SAS_FIELDS = ['sv', 'se', 'sp', 'sr', 'st', 'spr', 'si', 'ss', 'srt'];

/**
 * Checks what can be known of a SAS without asking the service.
 *
 * @throws ClfsError `usage` when it lacks a signature or a version; `access-denied` when it has expired
 */
export function checkSas(query: string, nowMs: number): void {
  const fields = new URLSearchParams(query);
  const hasSome = SAS_FIELDS.some((field) => fields.has(field));
  if (!hasSome && !fields.has('sig'))
    throw new ClfsError(
      'usage',
      'The container URL has no SAS: put one behind it, as URL?SAS, or log in by an identity that AZCOPY_AUTO_LOGIN_TYPE names.',
    );
  if (hasSome && !fields.has('sig'))
    throw new ClfsError(
      'usage',
      'The SAS of the container URL has no "sig" field: a shell cuts a URL at each "&" that is not quoted, so put the URL in quotes.',
    );
  for (const field of ['sv', 'sig']) {
    if (!fields.get(field)) {
      throw new ClfsError('usage', `The container URL is not valid (the SAS has no "${field}" field)`);
    }
  }
  const expiry = fields.get('se');
  const expiryMs = expiry === null ? Number.NaN : Date.parse(expiry);
  if (expiry !== null && Number.isNaN(expiryMs)) {
    throw new ClfsError('usage', 'The container URL is not valid (the SAS has a malformed "se" field)');
  }
  if (expiryMs < nowMs) {
    throw new ClfsError(
      'access-denied',
      `The SAS expired at ${expiry}. Make a new one: a job that had begun goes on with it.`,
    );
  }
}

function notAContainer(text: string, why: string): ClfsError {
  return new ClfsError('usage', `The container URL is not valid (${why}: ${redact(JSON.stringify(text))})`);
}
