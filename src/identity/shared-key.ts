import { createHmac } from 'node:crypto';
import type { ContainerAddress } from '../container/azure/container-url.js';
import { ClfsError } from '../error.js';

const VALID_MS = 24 * 3_600_000;
/** The clocks of two machines may differ by so much. */
const CLOCK_SKEW_MS = 15 * 60_000;

/** A SAS and until when it is good. */
export interface TimedSas {
  readonly query: string;
  /** Milliseconds since 1970. */
  readonly expiresMs: number;
}

/** Whether the environment holds an account and its key. */
export function hasSharedKey(env: NodeJS.ProcessEnv): boolean {
  return (env.ACCOUNT_NAME ?? '') !== '' && (env.ACCOUNT_KEY ?? '') !== '';
}

/**
 * Makes a SAS for a container from `ACCOUNT_NAME` and `ACCOUNT_KEY`: the key itself never leaves the process.
 *
 * @throws ClfsError `usage` when the key is of another account, or no key
 */
export function signWithKey(address: ContainerAddress, env: NodeJS.ProcessEnv, nowMs: number): TimedSas {
  const account = env.ACCOUNT_NAME ?? '';
  if (account !== address.account)
    throw new ClfsError(
      'usage',
      `ACCOUNT_NAME is ${JSON.stringify(account)}, and the container is in the account ${JSON.stringify(address.account)}.`,
    );
  const key = env.ACCOUNT_KEY ?? '';
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key))
    throw new ClfsError('usage', 'ACCOUNT_KEY is not the key of an account: it is not Base64.');
  const expiresMs = nowMs + VALID_MS;
  const fields = {
    sp: PERMISSIONS,
    st: timeText(nowMs - CLOCK_SKEW_MS),
    se: timeText(expiresMs),
    spr: address.origin.startsWith('https:') ? 'https' : 'https,http',
    sv: SAS_VERSION,
    sr: 'c',
  };
  return { query: signed(fields, `/blob/${account}/${address.container}`, Buffer.from(key, 'base64')), expiresMs };
}

/** Read, add, create, write, delete, list: what a load and the way back need. */
const PERMISSIONS = 'racwdl';
/** Version of the signature: from 2020-12-06 on it covers the fields below. */
const SAS_VERSION = '2021-12-02';

/** A service SAS of a container; what is not used of its fields (identifier, addresses, headers and so on) is empty. */
function signed(
  fields: Readonly<Record<'sp' | 'st' | 'se' | 'spr' | 'sv' | 'sr', string>>,
  resource: string,
  key: Uint8Array,
): string {
  const { sp, st, se, spr, sv, sr } = fields;
  const text = [sp, st, se, resource, '', '', spr, sv, sr, '', '', '', '', '', '', ''].join('\n');
  const sig = createHmac('sha256', key).update(text, 'utf8').digest('base64');
  return new URLSearchParams({ ...fields, sig }).toString();
}

/** To the second, in UTC. */
function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
