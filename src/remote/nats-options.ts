import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ClfsError, messageOf } from '../error.js';

/** How a server of workers is reached: what a client needs, without its types. */
export interface NatsOptions {
  readonly servers: string;
  readonly tls: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string } | undefined;
  readonly user: string | undefined;
  /** Read anew each time where it is in a file, as long as that can be read: it may have been renewed. */
  readonly pass: (() => string) | undefined;
  readonly token: string | undefined;
  /** Content of a file of credentials, likewise. */
  readonly credentials: (() => Uint8Array) | undefined;
  readonly inboxPrefix: string | undefined;
}

const PORT = '4222';

/**
 * Understands where a server is, and takes what authorizes at it from the environment.
 *
 * @param url `nats://HOST:PORT` or `tls://HOST:PORT`; several of them with commas between
 * @throws ClfsError `usage` on another address, one with credentials in it, or files that cannot be read
 */
export function natsOptions(url: string, env: NodeJS.ProcessEnv = process.env): NatsOptions {
  const urls = url.split(',').map((one) => parse(one.trim()));
  const secure = urls.some(({ protocol }) => protocol === 'tls:');
  const { CLFSLOAD_NATS_CA: caFile, CLFSLOAD_NATS_CERT: certFile, CLFSLOAD_NATS_KEY: keyFile } = env;
  for (const file of [caFile, certFile]) if (file) requireCertificate(file);
  if (keyFile) requireKey(keyFile);
  const given = (value: string | undefined) => (value === '' ? undefined : value);
  if ((given(certFile) === undefined) !== (given(keyFile) === undefined))
    throw new ClfsError(
      'usage',
      'CLFSLOAD_NATS_CERT and CLFSLOAD_NATS_KEY name a certificate and its key: name both, or none.',
    );
  const { CLFSLOAD_NATS_CREDS, CLFSLOAD_NATS_PASSWORD, CLFSLOAD_NATS_PASSWORD_FILE } = env;
  if (CLFSLOAD_NATS_CREDS) requireCredentials(CLFSLOAD_NATS_CREDS);
  const passFile = CLFSLOAD_NATS_PASSWORD_FILE ? fresh(CLFSLOAD_NATS_PASSWORD_FILE) : undefined;
  return {
    servers: urls.map(({ host }) => host).join(','),
    tls:
      secure || caFile || certFile
        ? { caFile: given(caFile), certFile: given(certFile), keyFile: given(keyFile) }
        : undefined,
    user: given(env.CLFSLOAD_NATS_USER),
    pass: passFile
      ? () => passFile().toString().trim()
      : CLFSLOAD_NATS_PASSWORD
        ? () => CLFSLOAD_NATS_PASSWORD
        : undefined,
    token: given(env.CLFSLOAD_NATS_TOKEN),
    credentials: CLFSLOAD_NATS_CREDS ? fresh(CLFSLOAD_NATS_CREDS) : undefined,
    inboxPrefix: given(env.CLFSLOAD_NATS_INBOX),
  };
}

function parse(text: string): { readonly protocol: string; readonly host: string } {
  const hint = 'Name the server by nats://HOST:4222, or tls://HOST:4222.';
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new ClfsError('usage', `Cannot understand the address of the workers' server. ${hint}`, { cause });
  }
  // What is on a command line is for every user of the machine to see.
  if (url.username !== '' || url.password !== '')
    throw new ClfsError(
      'usage',
      `The address of the workers' server has a user or a password in it. ${hint} Credentials are taken from CLFSLOAD_NATS_CREDS (a file), or CLFSLOAD_NATS_USER and CLFSLOAD_NATS_PASSWORD.`,
    );
  // What stands behind the host would be left out without a word, and may be a secret.
  if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '')
    throw new ClfsError('usage', `The address of the workers' server has something behind its host and port. ${hint}`);
  if ((url.protocol !== 'nats:' && url.protocol !== 'tls:') || url.hostname === '')
    throw new ClfsError('usage', `Cannot use ${JSON.stringify(text)} as the server of the workers. ${hint}`);
  return { protocol: url.protocol, host: `${url.hostname}:${url.port || PORT}` };
}

/** What a file holds at each time; what it held before, where it cannot be read. @throws ClfsError `usage` at once */
function fresh(file: string): () => Buffer {
  let content = read(file);
  return () => {
    try {
      content = read(file);
    } catch {
      // It may just be replaced.
    }
    return content;
  };
}

/** Node.js takes a file without a certificate, and knows nobody then. @throws ClfsError `usage` */
function requireCertificate(file: string): void {
  const content = read(file);
  try {
    new X509Certificate(content);
  } catch (cause) {
    throw new ClfsError('usage', `There is no certificate (PEM) in ${JSON.stringify(file)}.`, { cause });
  }
}

/** @throws ClfsError `usage` */
function requireKey(file: string): void {
  const content = read(file);
  try {
    createPrivateKey(content);
  } catch (cause) {
    throw new ClfsError('usage', `There is no private key (PEM, without a passphrase) in ${JSON.stringify(file)}.`, {
      cause,
    });
  }
}

/** @throws ClfsError `usage` */
function requireCredentials(file: string): void {
  const content = read(file).toString('latin1');
  if (!content.includes('BEGIN NATS USER JWT') || !content.includes('BEGIN USER NKEY SEED'))
    throw new ClfsError(
      'usage',
      `There are no credentials (a JWT and a seed, as "nsc generate creds" writes them) in ${JSON.stringify(file)}.`,
    );
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new ClfsError('usage', `Cannot read ${JSON.stringify(file)}: ${messageOf(cause)}.`, { cause });
  }
}
