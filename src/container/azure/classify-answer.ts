import { messageOf } from '../../error.js';
import type { BlobAnswer } from './answer-handler.js';
import { redact } from './container-url.js';

/** Whether an error comes from the configuration, such as a certificate: repeating the request does not help then. */
export function isPermanent(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return (
    code.startsWith('ERR_TLS_') ||
    code.startsWith('CERT_') ||
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'EPROTO'].includes(
      code,
    )
  );
}

/** What happened to a connection, for people. */
export function connectionText(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT')
    return 'the service did not answer in time';
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return 'the service did not accept a connection in time';
  const message = error instanceof AggregateError ? error.errors.map(messageOf).join('; ') : messageOf(error);
  return redact(message || String((error as NodeJS.ErrnoException).code ?? error));
}

/** How long the service asks to wait; 0 when it does not. A moment is one of its own clock, which the answer tells. */
export function retryAfterMs(answer: BlobAnswer, nowMs: number): number {
  const value = answer.headers['retry-after'];
  if (typeof value !== 'string') return 0;
  const seconds = Number(value);
  const servedMs = Date.parse(String(answer.headers.date));
  const ms = Number.isFinite(seconds)
    ? seconds * 1000
    : Date.parse(value) - (Number.isFinite(servedMs) ? servedMs : nowMs);
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, 600_000) : 0;
}

/** The service's own code of an error. */
export function errorCode(answer: BlobAnswer): string | undefined {
  const header = answer.headers['x-ms-error-code'];
  if (typeof header === 'string') return header;
  return /<Code>([A-Za-z0-9]+)<\/Code>/.exec(answer.body.toString('latin1', 0, 4096))?.[1];
}

/** The first line of the service's own words. */
export function errorMessage(answer: BlobAnswer): string {
  const text = /<Message>([^<]*)<\/Message>/.exec(answer.body.toString('utf8', 0, 4096))?.[1] ?? '';
  return redact(text.split('\n')[0]);
}
