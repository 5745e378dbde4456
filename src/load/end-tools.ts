import type { Runner } from '../engine/runner.js';
import type { Lz4 } from '../format/envelope.js';
import type { Clock } from '../time/clock.js';
import { stopped } from '../worker/breakage.js';
import type { WorkContext } from '../worker/context.js';
import type { LoadKinds } from '../worker/tasks.js';

/** A wait of less needs no words. */
const TOLD_FROM_MS = 2000;

/** What the end of a job needs beside its state. */
export interface EndTools {
  /** A context of the calling thread. */
  readonly work: WorkContext;
  readonly runner: Runner<LoadKinds>;
  /** Lanes that are at work already: the first, and the one behind the last. */
  lanes(): { readonly first: number; readonly end: number };
  readonly lz4: Lz4;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /**
   * Until when puts of earlier sessions, and of lanes that are gone, can still take effect, on the monotonic clock; 0
   * when none can.
   */
  uncertainUntilMs(): number;
  /** Whether each removal is guarded; not so where a test wants to see what holds without. */
  readonly guarded: boolean;
  /** Why the listing is not to be checked; empty when it is. */
  readonly noCheck: string;
  /** Takes what people and the log are told. */
  report(text: string): void;
}

/**
 * Waits until no put that was given up, in the present session or an earlier one, can still arrive. @throws ClfsError
 * `cancelled`
 */
export async function waitForLatePuts({ work, clock, signal, ...tools }: EndTools): Promise<void> {
  for (;;) {
    requireGoOn(signal);
    const untilMs = Math.max(tools.uncertainUntilMs(), work.container.uncertainUntilMs);
    const waitMs = untilMs - clock.monotonic();
    if (waitMs <= 0) {
      // On disk a put takes effect by a rename: without its temporary file it cannot any more, however late it wakes.
      if (untilMs > 0) await work.container.tidy();
      return;
    }
    if (waitMs >= TOLD_FROM_MS)
      tools.report(`Waiting for ${Math.ceil(waitMs / 1000)} s: until then a put that was given up may still arrive.`);
    await clock.sleep(waitMs, signal);
  }
}

/** @throws ClfsError `cancelled` */
export function requireGoOn(signal: AbortSignal): void {
  if (signal.aborted) throw stopped();
}
