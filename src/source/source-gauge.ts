/** What one lane tells of its calls of the source. */
export interface LaneGauge {
  /** Whether calls leave the thread free, many at once. */
  readonly isAsync: boolean;
  /** Files, or entries that are looked at, under way now, and at most. */
  readonly inFlight: number;
  readonly mostInFlight: number;
  /** What a call takes, in milliseconds; 0 where that has not been measured. */
  readonly callMs: number;
  /** Since when, on the monotonic clock, nothing of the source answers as it should; 0 when it does. */
  readonly awaySinceMs: number;
  /** Looks, one a second, at which the lane waited for the source only, or for the service. */
  readonly sourceLooks: number;
  readonly serviceLooks: number;
}

const NUMBERS = ['isAsync', 'inFlight', 'mostInFlight', 'callMs', 'awaySince', 'sourceLooks', 'serviceLooks'] as const;
type Field = (typeof NUMBERS)[number];

const SLOT_BYTES = NUMBERS.length * 8;

/**
 * What lanes tell of their calls of the source, each in a slot of its own, read by one: no locks, no messages. What
 * they wait for is told by a `WaitBoard`.
 */
export class SourceGauge {
  readonly memory: SharedArrayBuffer;
  readonly #numbers: Float64Array;

  constructor(slots: number);
  constructor(memory: SharedArrayBuffer, slot: number);
  constructor(first: number | SharedArrayBuffer, slot = 0) {
    this.memory = typeof first === 'number' ? new SharedArrayBuffer(first * SLOT_BYTES) : first;
    this.#numbers = new Float64Array(this.memory, slot * SLOT_BYTES, NUMBERS.length);
  }

  /** Another slot of the same memory. */
  slot(at: number): SourceGauge {
    return new SourceGauge(this.memory, at);
  }

  get slots(): number {
    return this.memory.byteLength / SLOT_BYTES;
  }

  set(field: Field, value: number): void {
    this.#numbers[NUMBERS.indexOf(field)] = value;
  }

  add(field: 'sourceLooks' | 'serviceLooks', amount: number): void {
    this.#numbers[NUMBERS.indexOf(field)] += amount;
  }

  read(): LaneGauge {
    const of = (field: Field) => this.#numbers[NUMBERS.indexOf(field)];
    return {
      isAsync: of('isAsync') === 1,
      inFlight: of('inFlight'),
      mostInFlight: of('mostInFlight'),
      callMs: of('callMs'),
      awaySinceMs: of('awaySince'),
      sourceLooks: of('sourceLooks'),
      serviceLooks: of('serviceLooks'),
    };
  }
}
