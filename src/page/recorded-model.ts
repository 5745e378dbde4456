import { ENTRY_TYPE_NAMES } from '../format/ids.js';
import { lastWorkersAt, workersAt } from '../join/worker-status.js';
import { escapePath, escapeText } from '../text/escape-path.js';
import { VERSION } from '../version.js';
import { logTail } from './log-tail.js';
import type { PageCensus, PageModel, PageNow, PageSource } from './model.js';
import { pageWorkers } from './page-workers.js';
import { ProgressMeter } from './progress-meter.js';
import { type LookedAt, lookAtJob } from './recorded-job.js';
import { seriesOf } from './series-of.js';

/** A pulse that is older tells nothing of the present: the job waits for something, or hangs. */
const FRESH_MS = 30_000;

/**
 * Makes what is shown of the job in a state directory, each time that it is asked: rate and time left go by what it has
 * seen before.
 */
export class RecordedModel {
  readonly #statePath: string;
  #meter: { readonly session: number; readonly meter: ProgressMeter } | undefined;

  /** @param statePath absolute */
  constructor(statePath: string) {
    this.#statePath = statePath;
  }

  /** @throws ClfsError `state` when there is no job, or it cannot be read */
  look(nowMs = Date.now()): PageModel {
    const found = lookAtJob(this.#statePath);
    return {
      job: { program: VERSION, statePath: escapeText(this.#statePath), ...found.job },
      now: this.#now(found, nowMs),
      series: seriesOf(found.rows),
      census: censusOf(found),
      failures: {
        groups: found.groups.map(({ reason, entries, first }) => ({
          reason,
          entries,
          first: first.map((path) => escapePath(path) || '.'),
        })),
        listed: found.listed,
      },
      workers: pageWorkers(found.running ? workersAt(this.#statePath) : lastWorkersAt(this.#statePath)),
      log: logTail(found.logFile),
    };
  }

  #now(found: LookedAt, nowMs: number): PageNow {
    const { running, finished, rows, pulse, session, done, failed, bytes } = found;
    const sum = (of: 'requests' | 'retries' | 'throttled' | 'spanMs', only?: number) =>
      rows.reduce((all, row) => (only === undefined || row.session === only ? all + row[of] : all), 0);
    const total = pulse?.total ?? found.sized?.entries;
    const bytesTotal = pulse?.bytesTotal ?? found.sized?.bytes;
    const isFresh = running && pulse !== undefined && nowMs - found.aliveMs < FRESH_MS;
    return {
      atMs: nowMs,
      state: running ? 'running' : finished ? 'finished' : 'stopped',
      finalStatus: running ? '' : found.finalStatus,
      session,
      ...(found.aliveMs > 0 ? { aliveMs: found.aliveMs } : {}),
      phase: phaseOf(found),
      ...defined({
        permille: found.permille,
        total: total === undefined ? undefined : Math.max(total, done + failed),
        bytesTotal,
      }),
      done,
      failed,
      excluded: found.excluded,
      bytes,
      further: found.further,
      workedMs: sum('spanMs'),
      ...defined({ sessionMs: sum('spanMs', session) || undefined }),
      ...(running ? this.#rates(found, total, bytesTotal, nowMs) : {}),
      requests: sum('requests'),
      retries: sum('retries'),
      throttled: sum('throttled'),
      ...(running && pulse
        ? {
            inFlight: isFresh ? pulse.inFlight : 0,
            limit: pulse.limit,
            lanes: pulse.lanes,
            mostLanes: pulse.mostLanes,
            ...defined({ workers: pulse.workers, waitingSinceMs: pulse.waitingSinceMs || undefined }),
          }
        : {}),
      ...defined({ source: sourceOf(found), listing: found.listing }),
      notes: found.notes,
    };
  }

  #rates(found: LookedAt, total: number | undefined, bytesTotal: number | undefined, nowMs: number) {
    if (this.#meter?.session !== found.session) this.#meter = { session: found.session, meter: this.#taught(found) };
    const { done, failed, bytes, pulse } = found;
    const waiting = (pulse?.waitingSinceMs ?? 0) > 0 || (pulse?.source?.awaySinceMs ?? 0) > 0;
    const sample = {
      ms: nowMs,
      done: done + failed,
      total,
      bytes,
      bytesTotal: bytesTotal ?? bytes,
      listingMs: pulse?.listingMs,
      waiting,
    };
    const { entriesPerSecond, bytesPerSecond, secondsLeft } = this.#meter.meter.take(sample);
    // While nothing can be done nothing is, however fast it was before.
    return waiting
      ? { entriesPerSecond: 0, bytesPerSecond: 0 }
      : defined({ entriesPerSecond, bytesPerSecond, secondsLeft });
  }

  /** A meter that knows what was done in the session so far. */
  #taught({ rows, session, done, failed, bytes }: LookedAt): ProgressMeter {
    const meter = new ProgressMeter();
    const own = rows.filter((row) => row.session === session);
    let at = { done: done + failed, bytes };
    const samples = [];
    for (const { endMs, entries, bytes: more } of own.reverse()) {
      samples.push({ ms: endMs, ...at });
      at = { done: at.done - entries, bytes: at.bytes - more };
    }
    for (const sample of samples.reverse()) meter.take(sample);
    return meter;
  }
}

function phaseOf({ running, finished, finalStatus, pulse, job }: LookedAt): string {
  if (finished) return 'Done';
  const phase = pulse?.phase ?? job.phases[0];
  // What stands there is of the session before.
  if (running && phase === 'Done') return job.phases[0];
  return !running && finalStatus === '' && phase === 'Done' ? job.phases[0] : phase;
}

function sourceOf({ sourceCalls, pulse, running }: LookedAt): PageSource | undefined {
  const calls = running ? (pulse?.source?.calls ?? sourceCalls) : sourceCalls;
  if (!calls) return undefined;
  const { way, callMs, inFlight, mostInFlight } = calls;
  const now = running ? pulse?.source : undefined;
  return {
    way,
    callMs,
    inFlight: running ? inFlight : 0,
    mostInFlight,
    ...defined({
      awaySinceMs: now?.awaySinceMs || undefined,
      stalledSinceMs: now?.stalled?.sinceMs,
      stalledPath: now?.stalled && (escapePath(Buffer.from(now.stalled.pathHex, 'hex')) || '.'),
    }),
  };
}

function censusOf({ pulse, directories }: LookedAt): PageCensus {
  const { types = [], sizes = [] } = pulse?.census ?? {};
  const last = sizes.findLastIndex((count) => count > 0);
  return {
    types: ENTRY_TYPE_NAMES.flatMap((name, at) => (types[at] > 0 ? [{ name, count: types[at] }] : [])),
    sizes: sizes.slice(0, last + 1).map((count, at) => ({
      ...(at === sizes.length - 1 ? {} : { below: at === 0 ? 1 : 1024 * 4 ** (at - 1) }),
      count,
    })),
    directories: directories.map(({ path, ...rest }) => ({ path: path || '.', ...rest })),
  };
}

/** Without what is not defined. */
function defined<T extends object>(fields: T): { readonly [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
