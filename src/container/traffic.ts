import { CONTENT_FIELDS, type ContentRead, type ContentTally } from './content-read.js';
import { RateShare } from './rate-limit.js';

const FIELDS = [
  'requests',
  'bytesSent',
  'bytesReceived',
  'retries',
  'throttled',
  'waitingSince',
  'uncertainUntil',
  'inFlight',
  'limit',
  ...CONTENT_FIELDS,
] as const;
type Field = (typeof FIELDS)[number];

/** Counters of all threads together. */
export interface TrafficTotals extends ContentRead {
  readonly requests: number;
  /** Bytes of request bodies and lines on the wire, those of repeated requests included. */
  readonly bytesSent: number;
  /** Bytes of blobs that were read. */
  readonly bytesReceived: number;
  readonly retries: number;
  /** Answers 429 and 503. */
  readonly throttled: number;
  /** Since when every request of some thread fails, in milliseconds since 1970; 0 when none does. */
  readonly waitingSince: number;
  /** Requests that are under way, those that wait for their next try included. */
  readonly inFlight: number;
  /** How many there may be. */
  readonly limit: number;
}

/**
 * Counters that several threads write, each its own slot, and one reads: no locks, no messages.
 *
 * Begins with what they share to keep a rate together.
 */
export class Traffic extends RateShare implements ContentTally {
  readonly #values: Float64Array;
  readonly #slot: number;

  constructor(slots: number);
  constructor(memory: SharedArrayBuffer, slot: number);
  constructor(first: number | SharedArrayBuffer, slot = 0) {
    super(typeof first === 'number' ? new SharedArrayBuffer(RateShare.BYTES + first * FIELDS.length * 8) : first);
    this.#values = new Float64Array(this.memory, RateShare.BYTES);
    this.#slot = slot;
  }

  add(
    field: 'requests' | 'bytesSent' | 'bytesReceived' | 'retries' | 'throttled' | keyof ContentRead,
    amount: number,
  ): void {
    this.#values[this.#slot * FIELDS.length + FIELDS.indexOf(field)] += amount;
  }

  /** @param change of the number of requests that are under way @param limit how many there may be */
  setInFlight(change: number, limit: number): void {
    const slot = this.#slot * FIELDS.length;
    this.#values[slot + FIELDS.indexOf('inFlight')] += change;
    this.#values[slot + FIELDS.indexOf('limit')] = limit;
  }

  setWaitingSince(nowMs: number): void {
    this.#values[this.#slot * FIELDS.length + FIELDS.indexOf('waitingSince')] = nowMs;
  }

  /** A put was given up, and can take effect until then. A small put must not hide a large one that lives longer. */
  setUncertainUntil(monotonicMs: number): void {
    const at = this.#slot * FIELDS.length + FIELDS.indexOf('uncertainUntil');
    if (monotonicMs > this.#values[at]) this.#values[at] = monotonicMs;
  }

  /** Until when a put that any thread gave up can take effect, on the monotonic clock; 0 when there is none. */
  get uncertainUntilMs(): number {
    return this.#fold('uncertainUntil', Math.max);
  }

  /** Number of threads that can write. */
  get slots(): number {
    return Math.floor(this.#values.length / FIELDS.length);
  }

  totals(): TrafficTotals {
    const sum = (field: Field) => this.#fold(field, (a, b) => a + b);
    return {
      requests: sum('requests'),
      bytesSent: sum('bytesSent'),
      bytesReceived: sum('bytesReceived'),
      retries: sum('retries'),
      throttled: sum('throttled'),
      waitingSince: this.#fold('waitingSince', (a, b) => (a === 0 ? b : b === 0 ? a : Math.min(a, b))),
      inFlight: sum('inFlight'),
      limit: sum('limit'),
      contentStored: sum('contentStored'),
      contentData: sum('contentData'),
      passedStored: sum('passedStored'),
      passedData: sum('passedData'),
    };
  }

  #fold(field: Field, join: (a: number, b: number) => number): number {
    let value = 0;
    for (let at = FIELDS.indexOf(field); at < this.#values.length; at += FIELDS.length)
      value = join(value, this.#values[at]);
    return value;
  }
}

/** Counters of several that share no memory. */
export function joinTotals(all: readonly Traffic[]): TrafficTotals {
  const totals = all.map((traffic) => traffic.totals());
  const sum = (of: (one: TrafficTotals) => number) => totals.reduce((result, one) => result + of(one), 0);
  const waiting = totals.map(({ waitingSince }) => waitingSince).filter((ms) => ms > 0);
  return {
    requests: sum(({ requests }) => requests),
    bytesSent: sum(({ bytesSent }) => bytesSent),
    bytesReceived: sum(({ bytesReceived }) => bytesReceived),
    retries: sum(({ retries }) => retries),
    throttled: sum(({ throttled }) => throttled),
    inFlight: sum(({ inFlight }) => inFlight),
    limit: sum(({ limit }) => limit),
    contentStored: sum(({ contentStored }) => contentStored),
    contentData: sum(({ contentData }) => contentData),
    passedStored: sum(({ passedStored }) => passedStored),
    passedData: sum(({ passedData }) => passedData),
    waitingSince: waiting.length > 0 ? Math.min(...waiting) : 0,
  };
}
