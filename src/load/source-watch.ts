import { processorTimes } from '../engine/lane-policy.js';
import type { LaneGauge, SourceGauge } from '../source/source-gauge.js';
import type { SourceCalls } from '../state/job-record.js';
import type { StallReport } from '../waits/stall-report.js';
import type { JobContext } from './job-context.js';
import type { SourceState } from './progress.js';

const LOOK_MS = 1000;
const RECORD_MS = 10_000;
/** From this share of the processors' time on, they are what limits a load. */
const BUSY_SHARE = 0.85;
/** A shorter transfer says nothing of what limits it. */
const SHORTEST_MS = 10_000;

/**
 * Looks once a second what the lanes tell of their calls of the source: logs which way they call it, and when it is away;
 * records it for who asks for the job's status; and says in the end what limited the load.
 */
export class SourceWatch {
  readonly #context: JobContext;
  readonly #lanes: SourceGauge[];
  readonly #stalls: StallReport;
  #timer: { cancel(): void } | undefined;
  #recordedMs = 0;
  #logged: SourceCalls | undefined;
  #unrecorded: SourceCalls | undefined;
  #awaySinceMs = 0;
  #most: SourceCalls = { way: 'synchronous', callMs: 0, inFlight: 0, mostInFlight: 1 };
  #begun: { readonly ms: number; readonly idle: number; readonly total: number } | undefined;

  constructor(context: JobContext, gauge: SourceGauge, stalls: StallReport) {
    this.#context = context;
    this.#lanes = Array.from({ length: gauge.slots }, (_, slot) => gauge.slot(slot));
    this.#stalls = stalls;
    context.progress.source = () => this.state();
    context.progress.takeSourceCalls = () => this.takeUnrecorded();
  }

  /** The lanes begin. */
  start(): void {
    this.#begun = { ms: this.#context.clock.monotonic(), ...processorTimes() };
    const again = () => {
      this.#timer = this.#context.clock.after(LOOK_MS, () => {
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
    const { clock } = this.#context;
    const wall = (monotonicMs: number) => clock.now() - (clock.monotonic() - monotonicMs);
    return {
      calls: this.#calls(),
      stalled: this.#stalls.stalled,
      awaySinceMs: this.#awaySinceMs === 0 ? 0 : wall(this.#awaySinceMs),
    };
  }

  /** How the source is called, when that is to be recorded anew; this is called by whoever writes the state. */
  takeUnrecorded(): SourceCalls | undefined {
    const calls = this.#unrecorded;
    this.#unrecorded = undefined;
    return calls;
  }

  /** What limited the load, in a sentence; undefined where that cannot be told. */
  limit(): string | undefined {
    const begun = this.#begun;
    if (!begun || this.#context.clock.monotonic() - begun.ms < SHORTEST_MS) return undefined;
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
    const { log, clock } = this.#context;
    const calls = this.#calls();
    if (calls.inFlight > this.#most.inFlight || this.#most.callMs === 0) this.#most = calls;
    if (calls.way !== (this.#logged?.way ?? 'synchronous')) {
      log.write('INFO', `calls of the source are ${calls.way} now: ${callsText(calls)}`);
      this.#logged = calls;
      this.#toRecord(calls);
    } else if (calls.way === 'asynchronous' && clock.monotonic() - this.#recordedMs >= RECORD_MS) this.#toRecord(calls);
    this.#lookForOutage();
  }

  #toRecord(calls: SourceCalls): void {
    this.#recordedMs = this.#context.clock.monotonic();
    this.#unrecorded = calls;
  }

  #lookForOutage(): void {
    const { log } = this.#context;
    const since = this.#read()
      .map(({ awaySinceMs }) => awaySinceMs)
      .filter((ms) => ms > 0);
    const awaySinceMs = since.length > 0 ? Math.min(...since) : 0;
    if (awaySinceMs > 0 && this.#awaySinceMs === 0)
      log.write(
        'WARNING',
        'the source, or a file system that is mounted in it, cannot be read; the job waits for it, and goes on when it can be',
      );
    else if (awaySinceMs === 0 && this.#awaySinceMs > 0) log.write('INFO', 'the source can be read again');
    this.#awaySinceMs = awaySinceMs;
  }
}

/** How a source is called, for people. */
function callsText({ callMs, mostInFlight }: SourceCalls): string {
  const took = callMs === 0 ? '' : `${callMs < 10 ? callMs.toFixed(1) : callMs.toFixed(0)} ms a call, `;
  return `${took}${mostInFlight} in flight`;
}
