import { Worker } from 'node:worker_threads';
import { ClfsError, messageOf } from '../error.js';
import type { RunnerEvents, TaskRunner } from './runner.js';
import type { FromThread, ThreadSetup, ToThread } from './thread-protocol.js';

/** Young objects of a thread live for microseconds; a small nursery keeps its memory down. */
const THREAD_LIMITS = { maxYoungGenerationSizeMb: 16 };

/**
 * Runs tasks in worker threads, one lane each; a thread is started when it gets its first task.
 *
 * A thread that dies is reported as the failure of one of its tasks; the job then stops, it never hangs.
 */
export function createThreadRunner(lanes: number, setup: Omit<ThreadSetup, 'slot'>, log: (text: string) => void): TaskRunner {
  let events: RunnerEvents | undefined;
  let closed = false;
  const threads: (Worker | undefined)[] = new Array<Worker | undefined>(lanes).fill(undefined);
  let authorization = setup.authorization;
  const start = (lane: number) => {
    // Slots 0 and 1 are the main thread's own.
    const thread = new Worker(new URL('./thread-entry.js', import.meta.url), { resourceLimits: THREAD_LIMITS });
    thread.postMessage({ kind: 'setup', setup: { ...setup, authorization, slot: lane + 2 } } satisfies ToThread);
    const died = (reason: string, cause?: unknown) => {
      if (!closed) events?.failed(-1, new ClfsError('worker', `A worker thread ended: ${reason}. The job can be resumed with --new-session=false.`, { cause }));
    };
    thread.on('error', (error: unknown) => died(messageOf(error), error));
    thread.on('exit', (code) => died(`exit code ${code}`));
    thread.on('messageerror', (error) => died(messageOf(error), error));
    thread.on('message', (message: FromThread) => {
      if (closed) return;
      if (message.kind === 'log') log(message.text);
      else if (message.kind === 'part') events?.part(message.number, message.part);
      else if (message.kind === 'done') events?.done(message.number, message.result);
      else events?.failed(message.number, new ClfsError(message.code, message.message));
    });
    return thread;
  };
  const tell = (lane: number, message: ToThread) => {
    threads[lane] ??= start(lane);
    threads[lane].postMessage(message);
  };
  const tellAll = (message: ToThread) => {
    for (const thread of threads) thread?.postMessage(message);
  };
  return {
    lanes,
    start(told) {
      events = told;
    },
    submit(lane, number, task) {
      tell(lane, { kind: 'task', number, task });
    },
    authorize(renewed) {
      authorization = renewed;
      tellAll({ kind: 'authorize', authorization });
    },
    stop: () => tellAll({ kind: 'stop' }),
    abandon: () => tellAll({ kind: 'abandon' }),
    async close() {
      closed = true;
      await Promise.all(threads.map((thread) => thread?.terminate() ?? Promise.resolve(0)));
    },
  };
}
