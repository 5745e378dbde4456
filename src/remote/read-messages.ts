import { type Answer, type Candidate, decode, PROTOCOL, type Question, type Welcome } from './messages.js';

/*
 * What comes over the network is looked at before it is used: whoever may publish at the server can send anything, and a
 * mistake of somebody else must not end a job, or a worker.
 */

type Check = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Check>>;

const MOST_LANES = 4096;

const isFlag: Check = (value) => typeof value === 'boolean';
const isBytes: Check = (value) => value instanceof Uint8Array;
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isAmount: Check = (value) => Number.isFinite(value) && (value as number) >= 0;
const isLanes: Check = (value) => isCount(value) && (value as number) > 0 && (value as number) <= MOST_LANES;
const isTextOf =
  (most: number): Check =>
  (value) =>
    typeof value === 'string' && value.length <= most;
const isOneOf =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value);
const isOrMissing =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

const isId = isTextOf(100);
const isName = isTextOf(1000);
const isReason = isTextOf(100_000);

/** What a worker of any version says of itself. */
const STRANGER: Shape = { protocol: isCount, version: isName, worker: isId, name: isName };
const CANDIDATE: Shape = {
  ...STRANGER,
  wire: isCount,
  lanes: isLanes,
  user: isCount,
  capabilities: isOrMissing(isCount),
  clockMs: isAmount,
  refusedBy: isOrMissing((value) => Array.isArray(value) && value.every(isId)),
};

const isCounters: Check = (value) => has(value, COUNTERS);
const COUNTERS: Shape = {
  requests: isAmount,
  bytesSent: isAmount,
  bytesReceived: isOrMissing(isAmount),
  retries: isAmount,
  throttled: isAmount,
  waitingMs: isAmount,
  uncertainMs: isAmount,
  stalled: isOrMissing(isReason),
};

const TROUBLE: Shape = { code: isName, ticket: isCount };

const QUESTIONS: Readonly<Record<string, Shape>> = {
  begin: { worker: isId },
  leave: { worker: isId, reason: isReason, suspect: isFlag, trouble: isOrMissing((value) => has(value, TROUBLE)) },
  here: { worker: isId, counters: isCounters },
  ask: { worker: isId },
  take: { worker: isId, ticket: isCount, deliveries: isCount, piece: isCount },
  tell: {
    worker: isId,
    ticket: isCount,
    number: isCount,
    more: isFlag,
    what: isOneOf('part', 'done', 'failed'),
    bytes: isBytes,
    counters: isOrMissing(isCounters),
  },
};

const ANSWERS: Readonly<Record<string, Shape>> = {
  nobody: {},
  begin: {},
  leave: {},
  tell: {},
  ask: {},
  here: { wish: isOneOf('work', 'stop', 'abandon'), queue: isName, capMbps: isAmount },
  take: { go: isFlag },
};
const GRANTED: Shape = { units: isCount, pieces: isCount, bytes: isBytes };

/** @returns undefined when it is no candidate */
export function readCandidate(bytes: Uint8Array): Candidate | undefined {
  const value = fromJson(bytes);
  if (!has(value, STRANGER)) return undefined;
  return value.protocol !== PROTOCOL || has(value, CANDIDATE) ? (value as unknown as Candidate) : undefined;
}

/** @returns undefined when it is none */
export function readWelcome(bytes: Uint8Array): Welcome | undefined {
  const value = fromJson(bytes);
  const isOne = has(value, { epoch: isId, refused: isReason }) || has(value, WELCOME);
  return isOne ? (value as unknown as Welcome) : undefined;
}

const WELCOME: Shape = { epoch: isId, leaseMs: isAmount, setup: (value) => typeof value === 'string' };

/** @returns undefined when it is no question */
export function readQuestion(bytes: Uint8Array): Question | undefined {
  return read<Question>(bytes, 'say', QUESTIONS);
}

/** @returns undefined when it is no answer */
export function readAnswer(bytes: Uint8Array): Answer | undefined {
  const answer = read<Answer>(bytes, 'to', ANSWERS);
  return answer?.to === 'take' && answer.go && !has(answer, GRANTED) ? undefined : answer;
}

/**
 * What a task tells.
 *
 * @param kind of the task
 * @returns undefined when it is none of such a task
 */
export function readTold(what: 'part' | 'done' | 'failed', bytes: Uint8Array, kind: PropertyKey): object | undefined {
  const told = decoded(bytes);
  const shape = what === 'failed' ? FAILURE : { kind: isOneOf(kind) };
  return has(told, shape) ? told : undefined;
}

const FAILURE: Shape = { code: isName, message: isReason };

function read<T>(bytes: Uint8Array, tag: string, shapes: Readonly<Record<string, Shape>>): T | undefined {
  const value = decoded(bytes);
  const kind = has(value, { [tag]: isName }) ? (value[tag] as string) : '';
  return Object.hasOwn(shapes, kind) && has(value, shapes[kind]) ? (value as T) : undefined;
}

function decoded(bytes: Uint8Array): unknown {
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
}

function fromJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return undefined;
  }
}

function has(value: unknown, shape: Shape): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(shape).every(([name, check]) => check((value as Record<string, unknown>)[name]));
}
