import { type MessagePort, Worker } from 'node:worker_threads';
import { ClfsError, messageOf } from '../error.js';
import { systemClock } from '../time/clock.js';
import type { Kinds } from './kinds.js';
import type { LaneLog } from './lane.js';
import { atMost } from './report.js';
import type { Runner, RunnerEvents } from './runner.js';
import type { FromThread, ToThread } from './thread-protocol.js';

/** Young objects of a thread live for microseconds; a small nursery keeps its memory down. */
const THREAD_LIMITS = { maxYoungGenerationSizeMb: 16 };

/** How long threads that are ended are waited for. */
const LAST_THREADS_MS = 2000;

/** How the threads of a runner are made. */
export interface ThreadSetup<Setup> {
  readonly lanes: number;
  /** Module that a thread runs; it calls {@link serveThread}. */
  readonly entry: URL;
  /** What a thread is told before its first task, when it is started. Plain data, and {@link portsOf}. */
  setupOf(lane: number): Setup;
  /** Ports that are in the set-up of a lane, whose thread has them from then on. */
  portsOf?(lane: number): readonly MessagePort[];
  readonly log: LaneLog;
}

/** Threads, which can be told something while they run. */
export interface ThreadRunner<M extends Kinds<M>, Update> extends Runner<M> {
  /** Tells the threads that run. Those that are started later are told by their set-up. */
  update(update: Update): void;
  /** Resolves, once this was closed, when the last thread has ended: what they have open may be closed then. */
  readonly ended: Promise<void>;
}

/**
 * Runs tasks in worker threads, one lane each; a thread is started when it gets its first task.
 *
 * A thread that dies ends the job, with its reason: the job never hangs.
 */
export function createThreadRunner<M extends Kinds<M>, Setup, Update>(
  setup: ThreadSetup<Setup>,
): ThreadRunner<M, Update> {
  type Message = ToThread<M, Setup, Update>;
  let events: RunnerEvents<M> | undefined;
  let closed = false;
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const threads: (Worker | undefined)[] = new Array<Worker | undefined>(setup.lanes).fill(undefined);
  const died = (reason: string, cause?: unknown) => {
    // A thread that cannot begin names no other code than in its message.
    const isShort = /\bE[MN]FILE\b/.test(reason);
    const advice = isShort ? 'Raise the limit of open files with "ulimit -n"; the job' : 'The job';
    const text = `A worker thread ended: ${reason}. ${advice} can be resumed with --new-session=false.`;
    if (!closed) events?.failed(new ClfsError(isShort ? 'open-files' : 'worker', text, { cause }));
  };
  const start = (lane: number) => {
    const thread = new Worker(setup.entry, { resourceLimits: THREAD_LIMITS });
    const told = setup.setupOf(lane);
    thread.postMessage({ say: 'open', setup: told } satisfies Message, [...(setup.portsOf?.(lane) ?? [])]);
    thread.on('error', (error: unknown) => died(messageOf(error), error));
    thread.on('exit', (code) => died(`exit code ${code}`));
    thread.on('messageerror', (error) => died(messageOf(error), error));
    thread.on('message', (message: FromThread<M>) => {
      if (closed) return;
      if (message.say === 'log') setup.log(message.text, message.detail);
      else if (message.say === 'part') events?.part(message.ticket, message.part);
      else if (message.say === 'done') events?.done(message.ticket, message.result);
      else events?.failed(new ClfsError(message.code, message.message), message.ticket);
    });
    return thread;
  };
  const tellAll = (message: Message) => {
    for (const thread of threads) thread?.postMessage(message);
  };
  return {
    lanes: setup.lanes,
    start(told) {
      events = told;
    },
    submit(lane, ticket, task) {
      threads[lane] ??= start(lane);
      threads[lane].postMessage({ say: 'task', ticket, task } satisfies Message);
    },
    update: (update) => tellAll({ say: 'update', update }),
    stop: () => tellAll({ say: 'stop' }),
    abandon: () => tellAll({ say: 'abandon' }),
    ended,
    async close() {
      closed = true;
      void Promise.all(threads.map((thread) => thread?.terminate() ?? Promise.resolve(0))).then(end);
      // A thread that hangs in a call of the system does not end, and must not keep the others. It keeps the process, so
      // that this can still be ended by force: a process that ends by itself joins its threads, and nothing helps then.
      await atMost(systemClock, LAST_THREADS_MS, ended);
    },
  };
}
