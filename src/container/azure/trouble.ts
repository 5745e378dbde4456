import { ClfsError } from '../../error.js';
import type { BlobAnswer, BlobRequest } from './answer-handler.js';
import { connectionText, errorCode, errorMessage, isPermanent, retryAfterMs } from './classify-answer.js';

const RETRIED_STATUS = new Set([408, 429, 500, 502, 503, 504]);
const MISSING_CODES = new Set(['ContainerNotFound', 'ContainerBeingDeleted', 'ContainerDisabled']);
const TOKEN_CODES = new Set(['AuthenticationFailed', 'InvalidAuthenticationInfo']);

/** Why a try failed, where another try may succeed. */
export interface Trouble {
  readonly text: string;
  readonly retryAfterMs: number;
  readonly cause: unknown;
  /** Fewer requests at once would help. */
  readonly tooMuch: boolean;
  /** The service may have received the request, and may still carry it out. */
  readonly uncertain: boolean;
  /** For a refused token: the error, if the token is not renewed in time. */
  readonly refusal?: ClfsError;
}

/**
 * Classifies an answer that the request does not accept.
 *
 * @param where the container, for people
 * @param hasToken whether the request carried a token, not a SAS
 * @param nowMs time of day
 * @throws ClfsError when repeating the request would not help
 */
export function troubleOfAnswer(
  request: BlobRequest,
  answer: BlobAnswer,
  where: string,
  hasToken: boolean,
  nowMs: number,
): Trouble {
  const { status } = answer;
  const code = errorCode(answer);
  const place = status >= 300 && status < 400 ? originOf(answer.headers.location) : undefined;
  const text = `the service answered ${status}${code ? ` ${code}` : ''}${place ? `, which leads to ${place}` : ''}`;
  const trouble: Trouble = {
    text,
    retryAfterMs: 0,
    cause: undefined,
    tooMuch: false,
    uncertain: status >= 500 || status === 408,
  };
  if (RETRIED_STATUS.has(status) || (status >= 200 && status < 300)) {
    const timedOut = status === 408 || status === 504 || code === 'OperationTimedOut';
    return {
      ...trouble,
      retryAfterMs: retryAfterMs(answer, nowMs),
      tooMuch: timedOut || status === 429 || status === 503,
    };
  }
  if (MISSING_CODES.has(code ?? '') || (status === 404 && request.blob === '')) {
    throw new ClfsError(
      'container-missing',
      `The container ${where} does not exist (${text}). Create it, or check the URL.`,
    );
  }
  if (status === 404) throw new ClfsError('not-found', `There is no blob ${request.blob} in ${where}.`);
  if (status === 401 || status === 403) {
    const advice = hasToken
      ? 'Check that the identity has the role "Storage Blob Data Contributor", or to read alone "Storage Blob Data Reader".'
      : 'Check that the SAS has not expired and grants reading and listing, and for a load writing and deleting.';
    const refusal = new ClfsError(
      'access-denied',
      `${where} refused access (${text}). ${code ? '' : `${NOT_THE_SERVICE} `}${advice}`,
    );
    // A token that has just expired is about to be replaced by its owner.
    if (hasToken && (status === 401 || TOKEN_CODES.has(code ?? ''))) return { ...trouble, refusal };
    throw refusal;
  }
  const met = status === 412 && (code === undefined || code === 'ConditionNotMet' || code === 'UnspecifiedCondition');
  if (met || (status === 409 && code === 'BlobAlreadyExists'))
    throw new ClfsError('exists', `The blob ${request.blob} exists (${text}).`);
  const advice = (place ? NOT_THE_SERVICE : ADVICE.get(code ?? '')) ?? '';
  const what = request.blob === '' ? 'its listing' : `${request.method} ${request.blob}`;
  const words = [`${where} refused ${what}: ${text}.`, errorMessage(answer), advice].filter((part) => part !== '');
  throw new ClfsError('service', words.join(' '));
}

const NOT_THE_SERVICE = 'Azure Blob Storage does not answer so: a proxy or a firewall on the way may have done it.';

/** Where a redirection leads, without what may be secret. */
function originOf(location: string | string[] | undefined): string | undefined {
  return typeof location === 'string' && URL.canParse(location) ? new URL(location).origin : undefined;
}

const ARCHIVED_ADVICE =
  'Bring the blobs of the container back from the archive tier (set their tier to Hot or Cool, and wait for it), then repeat.';

/** What to do where the account protects its blobs (docs/errors.md), or keeps them out of reach. */
const ADVICE: ReadonlyMap<string, string> = new Map([
  ['BlobArchived', ARCHIVED_ADVICE],
  ['BlobBeingRehydrated', ARCHIVED_ADVICE],
  ['BlobImmutableDueToPolicy', 'Delete the immutability policy of the container, then go on with --new-session=false.'],
  ['BlobImmutableDueToLegalHold', 'Clear the legal hold of the container, then go on with --new-session=false.'],
  ['LeaseIdMissing', 'Break the lease on the blob, then go on with --new-session=false.'],
  ['SnapshotsPresent', 'Remove the snapshots of the blob, then go on with --new-session=false.'],
]);

/** Codes of failures to connect: nothing of the request has left. */
const NOT_SENT = new Set(['EMFILE', 'ENFILE', 'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);
const TOO_MUCH = new Set(['EMFILE', 'ENFILE', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/**
 * Classifies an error that came in place of an answer.
 *
 * @throws ClfsError when repeating the request would not help
 */
export function troubleOfError(error: unknown, where: string): Trouble {
  if (error instanceof ClfsError) throw error;
  if (isPermanent(error))
    throw new ClfsError('service', `Cannot reach ${where}: ${connectionText(error)}.`, { cause: error });
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return {
    text: connectionText(error),
    retryAfterMs: 0,
    cause: error,
    tooMuch: TOO_MUCH.has(code),
    uncertain: !NOT_SENT.has(code),
  };
}

/** The error of a try that took longer than its time limit: as the HTTP client's own. */
export function timeOutError(): Error {
  return Object.assign(new Error('the time limit of the request is over'), { code: 'UND_ERR_HEADERS_TIMEOUT' });
}
