import { processorTimes } from '../engine/lane-policy.js';
import type { LaneGauge, SourceGauge } from '../source/source-gauge.js';
import { StallWatch } from '../source/stall-watch.js';
import type { SourceCalls } from '../state/job-record.js';
import { escapePath } from '../text/escape-path.js';
import type { Clock } from '../time/clock.js';
import type { JobContext } from './job-context.js';
import type { SourceState } from './progress.js';

const LOOK_MS = 1000;
const RECORD_MS = 10_000;
/** After how long a call that is not answered is spoken of, where nothing else is said. */
export const DEFAULT_STALL_MS = 60_000;
/** From this share of the processors' time on, they are what limits a load. */
const BUSY_SHARE = 0.85;
/** A shorter transfer says nothing of what limits it. */
const SHORTEST_MS = 10_000;

/** What is said of a call that is not answered. */
export function stallText(waitedMs: number, path: Buffer): string {
  return `the source has not answered for ${Math.round(waitedMs / 1000)} s: ${escapePath(path) || '.'}`;
}

/**
 * Looks once a second what the lanes tell of their calls of the source: logs which way they call it, what hangs, and
 * when it is away; records it for who asks for the job's status; and says in the end what limited the load.
 */
export class SourceWatch {
  readonly #context: JobContext;
  readonly #clock: Clock;
  readonly #stallMs: number;
  readonly #lanes: SourceGauge[];
  readonly #stalls: StallWatch;
  #timer: { cancel(): void } | undefined;
  #recordedMs = 0;
  #logged: SourceCalls | undefined;
  #unrecorded: SourceCalls | undefined;
  #stalled: (NonNullable<SourceState['stalled']> & { readonly monotonicMs: number }) | undefined;
  #awaySinceMs = 0;
  #most: SourceCalls = { way: 'synchronous', callMs: 0, inFlight: 0, mostInFlight: 1 };
  #begun: { readonly ms: number; readonly idle: number; readonly total: number } | undefined;

  /** @param stallMs after how long a call that is not answered is spoken of; default: a minute */
  constructor(context: JobContext, gauge: SourceGauge, stallMs: number = DEFAULT_STALL_MS) {
    this.#context = context;
    this.#clock = context.clock;
    this.#stallMs = stallMs;
    this.#lanes = Array.from({ length: gauge.slots }, (_, slot) => gauge.slot(slot));
    this.#stalls = new StallWatch(gauge);
    context.progress.source = () => this.state();
    context.progress.takeSourceCalls = () => this.takeUnrecorded();
  }

  /** The lanes begin. */
  start(): void {
    this.#begun = { ms: this.#clock.monotonic(), ...processorTimes() };
    const again = () => {
      this.#timer = this.#clock.after(LOOK_MS, () => {
        this.look();
        again();
      });
    };
    again();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  state(): SourceState {
    const wall = (monotonicMs: number) => this.#clock.now() - (this.#clock.monotonic() - monotonicMs);
    return {
      calls: this.#calls(),
      stalled: this.#stalled,
      awaySinceMs: this.#awaySinceMs === 0 ? 0 : wall(this.#awaySinceMs),
    };
  }

  /** How the source is called, when that is to be recorded anew; this is called by whoever writes the state. */
  takeUnrecorded(): SourceCalls | undefined {
    const calls = this.#unrecorded;
    this.#unrecorded = undefined;
    return calls;
  }

  /** Whether lanes that have been stopped are still in calls of the source: it hangs, and is not to be called. */
  hangs(): boolean {
    return this.#lanes.some((lane) => lane.blockingCall !== 0 || lane.read().oldest !== undefined);
  }

  /** What limited the load, in a sentence; undefined where that cannot be told. */
  limit(): string | undefined {
    const begun = this.#begun;
    if (!begun || this.#clock.monotonic() - begun.ms < SHORTEST_MS) return undefined;
    const { idle, total } = processorTimes();
    if (1 - (idle - begun.idle) / Math.max(1, total - begun.total) >= BUSY_SHARE) return 'Limited by: processor.';
    const lanes = this.#read();
    const sum = (of: (lane: LaneGauge) => number) => lanes.reduce((all, lane) => all + of(lane), 0);
    if (sum((lane) => lane.sourceLooks) <= sum((lane) => lane.serviceLooks)) return 'Limited by: service.';
    return `Limited by: source, ${callsText(this.#most)}.`;
  }

  #read(): readonly LaneGauge[] {
    return this.#lanes.map((lane) => lane.read());
  }

  /** Of all lanes together. */
  #calls(): SourceCalls {
    const lanes = this.#read().filter(({ mostInFlight }) => mostInFlight > 0);
    const asynchronous = lanes.filter(({ isAsync }) => isAsync);
    const counted = asynchronous.length > 0 ? asynchronous : lanes;
    const measured = counted.map(({ callMs }) => callMs).filter((ms) => ms > 0);
    return {
      way: asynchronous.length > 0 ? 'asynchronous' : 'synchronous',
      callMs: measured.length > 0 ? Math.min(...measured) : 0,
      inFlight: counted.reduce((all, { inFlight }) => all + inFlight, 0),
      mostInFlight: counted.reduce((all, { mostInFlight }) => all + mostInFlight, 0),
    };
  }

  /** Looks now, as it does once a second. */
  look(): void {
    const { log } = this.#context;
    const calls = this.#calls();
    if (calls.inFlight > this.#most.inFlight || this.#most.callMs === 0) this.#most = calls;
    if (calls.way !== (this.#logged?.way ?? 'synchronous')) {
      log.write('INFO', `calls of the source are ${calls.way} now: ${callsText(calls)}`);
      this.#logged = calls;
      this.#toRecord(calls);
    } else if (calls.way === 'asynchronous' && this.#clock.monotonic() - this.#recordedMs >= RECORD_MS)
      this.#toRecord(calls);
    this.#lookForStall();
    this.#lookForOutage();
  }

  #toRecord(calls: SourceCalls): void {
    this.#recordedMs = this.#clock.monotonic();
    this.#unrecorded = calls;
  }

  #lookForStall(): void {
    const now = this.#clock.monotonic();
    const oldest = this.#stalls.look(now);
    const { log } = this.#context;
    if (!oldest || now - oldest.sinceMs < this.#stallMs) {
      if (this.#stalled) log.write('INFO', 'the source answers again');
      this.#stalled = undefined;
    } else if (oldest.sinceMs !== this.#stalled?.monotonicMs) {
      const waitedMs = now - oldest.sinceMs;
      const { path } = oldest;
      this.#stalled = { path, sinceMs: this.#clock.now() - waitedMs, monotonicMs: oldest.sinceMs };
      log.write('WARNING', stallText(waitedMs, path));
    }
  }

  #lookForOutage(): void {
    const { log } = this.#context;
    const since = this.#read()
      .map(({ awaySinceMs }) => awaySinceMs)
      .filter((ms) => ms > 0);
    const awaySinceMs = since.length > 0 ? Math.min(...since) : 0;
    if (awaySinceMs > 0 && this.#awaySinceMs === 0)
      log.write('WARNING', 'nothing of the source can be read; the job waits for it, and goes on when it can be');
    else if (awaySinceMs === 0 && this.#awaySinceMs > 0) log.write('INFO', 'the source can be read again');
    this.#awaySinceMs = awaySinceMs;
  }
}

/** How a source is called, for people. */
function callsText({ callMs, mostInFlight }: SourceCalls): string {
  const took = callMs === 0 ? '' : `${callMs < 10 ? callMs.toFixed(1) : callMs.toFixed(0)} ms a call, `;
  return `${took}${mostInFlight} in flight`;
}
