import { isIP } from 'node:net';
import { ClfsError } from '../error.js';

/** Domains of the Blob service in Azure's clouds. Source: docs/migrating.md 5 */
const MICROSOFT_SUFFIXES =
  '*.core.windows.net;*.core.chinacloudapi.cn;*.core.cloudapi.de;*.core.usgovcloudapi.net;*.storage.azure.net';

/**
 * Makes sure that a token may be sent to an origin: over https only, and to hosts of the trusted domains only.
 *
 * @param origin such as `https://account.blob.core.windows.net`
 * @param furtherSuffixes semicolon-separated domains, each with or without a leading `*.`; a host's name or address by
 * itself is taken too
 * @throws ClfsError `usage`
 */
export function requireTrustedHost(origin: string, furtherSuffixes: string): void {
  const { protocol, hostname } = new URL(origin);
  if (protocol !== 'https:')
    throw new ClfsError('usage', `A token is sent over https only, not to ${origin}. Use a SAS, or https.`);
  const host = hostname.toLowerCase().replace(/\.$/, '');
  const trusted = [...MICROSOFT_SUFFIXES.split(';'), ...furtherSuffixes.split(';')].some((suffix) =>
    isUnder(host, suffix.trim().toLowerCase()),
  );
  if (trusted) return;
  throw new ClfsError(
    'usage',
    `A token is not sent to ${JSON.stringify(host)}: it is not under a trusted domain (${MICROSOFT_SUFFIXES}). Name its domain with --trusted-microsoft-suffixes if it is yours, or use a SAS.`,
  );
}

/** Whole labels count: `evil-core.windows.net` is not under `core.windows.net`. */
function isUnder(host: string, suffix: string): boolean {
  const domain = suffix.replace(/^\*\./, '').replace(/^\./, '');
  if (domain === '' || domain.includes('*')) return false;
  if (isIP(host.replace(/^\[|\]$/g, '')) !== 0) return host === domain || host === `[${domain}]`;
  return suffix.startsWith('*.') ? host.endsWith(`.${domain}`) : host === domain || host.endsWith(`.${domain}`);
}
