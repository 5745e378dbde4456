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
export async function signWithKey(address: ContainerAddress, env: NodeJS.ProcessEnv, nowMs: number): Promise<TimedSas> {
  const account = env.ACCOUNT_NAME ?? '';
  if (account !== address.account)
    throw new ClfsError(
      'usage',
      `ACCOUNT_NAME is ${JSON.stringify(account)}, and the container is in the account ${JSON.stringify(address.account)}.`,
    );
  const key = env.ACCOUNT_KEY ?? '';
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key))
    throw new ClfsError('usage', 'ACCOUNT_KEY is not the key of an account: it is not Base64.');
  const { ContainerSASPermissions, generateBlobSASQueryParameters, SASProtocol, StorageSharedKeyCredential } =
    await import('@azure/storage-blob');
  const expiresMs = nowMs + VALID_MS;
  const sas = generateBlobSASQueryParameters(
    {
      containerName: address.container,
      permissions: ContainerSASPermissions.parse('racwdl'),
      startsOn: new Date(nowMs - CLOCK_SKEW_MS),
      expiresOn: new Date(expiresMs),
      protocol: address.origin.startsWith('https:') ? SASProtocol.Https : SASProtocol.HttpsAndHttp,
    },
    new StorageSharedKeyCredential(account, key),
  );
  return { query: sas.toString(), expiresMs };
}
