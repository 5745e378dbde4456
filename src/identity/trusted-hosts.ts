import { isIP } from 'node:net';
import { ClfsError } from '../error.js';

/** Domains of the Blob service in Azure's clouds. Source: docs/migrating.md 5 */
const MICROSOFT_SUFFIXES =
  '*.core.windows.net;*.core.chinacloudapi.cn;*.core.cloudapi.de;*.core.usgovcloudapi.net;*.storage.azure.net';

/** What lets its owner in wherever it is shown, as people know it. */
interface Secret {
  readonly text: string;
  /** What may be used in its place. */
  readonly instead: string;
}

const TOKEN: Secret = { text: 'A token', instead: 'use a SAS' };
/** A SAS that is made for a container which somebody else has named. */
export const SIGNATURE: Secret = {
  text: 'A signature by ACCOUNT_KEY',
  instead: 'name the container on this machine, by --container=env:NAME or --container=@FILE',
};

/**
 * Makes sure that a secret may be sent to an origin: over https only, and to hosts of the trusted domains only.
 *
 * @param origin such as `https://account.blob.core.windows.net`
 * @param furtherSuffixes semicolon-separated domains, each with or without a leading `*.`; a host's name or address by
 * itself is taken too
 * @throws ClfsError `usage`
 */
export function requireTrustedHost(origin: string, furtherSuffixes: string, secret: Secret = TOKEN): void {
  const { protocol, hostname } = new URL(origin);
  if (protocol !== 'https:')
    throw new ClfsError(
      'usage',
      `${secret.text} is sent over https only, not to ${origin}: use https, or ${secret.instead}.`,
    );
  const host = hostname.toLowerCase().replace(/\.$/, '');
  const trusted = [...MICROSOFT_SUFFIXES.split(';'), ...furtherSuffixes.split(';')].some((suffix) =>
    isUnder(host, suffix.trim().toLowerCase()),
  );
  if (trusted) return;
  throw new ClfsError(
    'usage',
    `${secret.text} is not sent to ${JSON.stringify(host)}: it is not under a trusted domain (${MICROSOFT_SUFFIXES}). Name its domain with --trusted-microsoft-suffixes if it is yours, or ${secret.instead}.`,
  );
}

/** Whole labels count: `evil-core.windows.net` is not under `core.windows.net`. */
function isUnder(host: string, suffix: string): boolean {
  const domain = suffix.replace(/^\*\./, '').replace(/^\./, '');
  if (domain === '' || domain.includes('*')) return false;
  if (isIP(host.replace(/^\[|\]$/g, '')) !== 0) return host === domain || host === `[${domain}]`;
  return suffix.startsWith('*.') ? host.endsWith(`.${domain}`) : host === domain || host.endsWith(`.${domain}`);
}
