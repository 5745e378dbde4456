const FIELDS = ['requests', 'bytesSent', 'retries', 'throttled', 'waitingSince', 'uncertainPut'] as const;
type Field = (typeof FIELDS)[number];

/** Counters of all threads together. */
export interface TrafficTotals {
  readonly requests: number;
  /** Bytes of request bodies and lines on the wire, those of repeated requests included. */
  readonly bytesSent: number;
  readonly retries: number;
  /** Answers 429 and 503. */
  readonly throttled: number;
  /** Since when every request of some thread fails, in milliseconds since 1970; 0 when none does. */
  readonly waitingSince: number;
}

/**
 * Counters that several threads write, each its own slot, and one reads: no locks, no messages.
 *
 * Also holds the shared clock of the rate limit, see `rate-limit.ts`.
 */
export class Traffic {
  readonly memory: SharedArrayBuffer;
  readonly #values: Float64Array;
  readonly #slot: number;
  /** Nanosecond at which the wire is free again; shared by all threads. */
  readonly wireFreeAt: BigInt64Array;

  constructor(slots: number);
  constructor(memory: SharedArrayBuffer, slot: number);
  constructor(first: number | SharedArrayBuffer, slot = 0) {
    this.memory = typeof first === 'number' ? new SharedArrayBuffer(8 + first * FIELDS.length * 8) : first;
    this.wireFreeAt = new BigInt64Array(this.memory, 0, 1);
    this.#values = new Float64Array(this.memory, 8);
    this.#slot = slot;
  }

  add(field: 'requests' | 'bytesSent' | 'retries' | 'throttled', amount: number): void {
    this.#values[this.#slot * FIELDS.length + FIELDS.indexOf(field)] += amount;
  }

  set(field: 'waitingSince' | 'uncertainPut', value: number): void {
    this.#values[this.#slot * FIELDS.length + FIELDS.indexOf(field)] = value;
  }

  /** Latest time at which any thread gave a put up without a certain end; 0 when none did. */
  get lastUncertainPutMs(): number {
    return this.#fold('uncertainPut', Math.max);
  }

  totals(): TrafficTotals {
    const sum = (field: Field) => this.#fold(field, (a, b) => a + b);
    return {
      requests: sum('requests'),
      bytesSent: sum('bytesSent'),
      retries: sum('retries'),
      throttled: sum('throttled'),
      waitingSince: this.#fold('waitingSince', (a, b) => (a === 0 ? b : b === 0 ? a : Math.min(a, b))),
    };
  }

  #fold(field: Field, join: (a: number, b: number) => number): number {
    let value = 0;
    for (let at = FIELDS.indexOf(field); at < this.#values.length; at += FIELDS.length) value = join(value, this.#values[at]);
    return value;
  }
}
