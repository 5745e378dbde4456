import { escapeLine } from '../text/escape-path.js';
import {
  type Answer,
  type Candidate,
  decode,
  type Failure,
  PROTOCOL,
  type Question,
  type Welcome,
} from './messages.js';

/*
 * What comes over the network is looked at before it is used: whoever may publish at the server can send anything, and a
 * mistake of somebody else must not end a job, or a worker. What is for people is made one line here, of what a terminal
 * does not obey: nobody else's words can pass for a line of this program, wherever they are shown.
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

/** It is part of subjects, and is shown to people. */
const isId: Check = (value) => typeof value === 'string' && /^[\w-]{1,100}$/.test(value);
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
  gid: isOrMissing(isCount),
  groups: isOrMissing((value) => Array.isArray(value) && value.every(isCount)),
  clockMs: isAmount,
  refusedBy: isOrMissing((value) => Array.isArray(value) && value.every(isId)),
};

const isCounters: Check = (value) => has(value, COUNTERS);
const COUNTERS: Shape = {
  requests: isAmount,
  bytesSent: isAmount,
  bytesReceived: isOrMissing(isAmount),
  contentStored: isOrMissing(isAmount),
  contentData: isOrMissing(isAmount),
  passedStored: isOrMissing(isAmount),
  passedData: isOrMissing(isAmount),
  retries: isAmount,
  throttled: isAmount,
  waitingMs: isAmount,
  uncertainMs: isAmount,
  stalled: isOrMissing(isReason),
};

const TROUBLE: Shape = { code: isName, ticket: isOrMissing(isCount) };

const QUESTIONS: Readonly<Record<string, Shape>> = {
  begin: { worker: isId },
  leave: { worker: isId, reason: isReason, suspect: isFlag, trouble: isOrMissing((value) => has(value, TROUBLE)) },
  here: { worker: isId, counters: isCounters },
  ask: { worker: isId },
  take: { worker: isId, ticket: isCount, attempt: isCount, deliveries: isCount, piece: isCount, most: isAmount },
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
  if (!has(value, STRANGER) || (value.protocol === PROTOCOL && !has(value, CANDIDATE))) return undefined;
  const candidate = value as unknown as Candidate;
  return { ...candidate, name: escapeLine(candidate.name), version: escapeLine(candidate.version) };
}

/** @returns undefined when it is none */
export function readWelcome(bytes: Uint8Array): Welcome | undefined {
  const value = fromJson(bytes);
  if (has(value, REFUSAL)) return { epoch: value.epoch as string, refused: escapeLine(value.refused as string) };
  return has(value, WELCOME) && !('refused' in value) ? (value as unknown as Welcome) : undefined;
}

const REFUSAL: Shape = { epoch: isId, refused: isReason };
const WELCOME: Shape = {
  epoch: isId,
  leaseMs: isAmount,
  clockMs: isAmount,
  setup: (value) => typeof value === 'string',
};

/** @returns undefined when it is no question */
export function readQuestion(bytes: Uint8Array): Question | undefined {
  const question = read<Question>(bytes, 'say', QUESTIONS);
  if (question?.say === 'leave') return { ...question, reason: escapeLine(question.reason) };
  if (question?.say !== 'here' || question.counters.stalled === undefined) return question;
  return { ...question, counters: { ...question.counters, stalled: escapeLine(question.counters.stalled) } };
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
  if (!has(told, shape)) return undefined;
  if (what === 'failed') return { ...told, message: escapeLine(told.message as string) };
  // What has ended a task early is told to people, too.
  const { result } = told;
  if (!has(result, { broken: (broken) => has(broken, FAILURE) })) return told;
  const broken = result.broken as Failure;
  return { ...told, result: { ...result, broken: { ...broken, message: escapeLine(broken.message) } } };
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
