import { escapeText, exitAtOnce, isClfsError, messageOf, redact } from '../index.js';
import { errorLine } from './fields-line.js';
import { onSignal } from './on-signal.js';
import { teller } from './standard-streams.js';
import { ClosedPipe, createIo } from './verb-io.js';
import type { VerbIo } from './verbs/verb.js';

const FAILURE = 2;
const INTERRUPTED = 130;
/** As of a program that SIGPIPE ends: what it wrote is not whole, and it may not have looked at everything. */
const CLOSED_PIPE = 141;

/**
 * Runs a verb with the program's own output: the first SIGINT or SIGTERM ends it soon, a second one ends the process at
 * once.
 *
 * @param json whether an error is told on standard output too
 * @returns exit code
 */
export async function runVerb(run: (io: VerbIo) => Promise<number>, json = false): Promise<number> {
  const signal = interruption();
  const io = createIo(signal);
  try {
    const exit = await run(io);
    // Its code holds when all that it wrote has been taken, also after a signal, which is no failure of a worker.
    await io.finish();
    return exit;
  } catch (error) {
    io.clearProgress();
    // At once: output that nobody reads, a request that nobody answers or a call that hangs would keep the process alive.
    if (signal.aborted) exitAtOnce(INTERRUPTED);
    if (error instanceof ClosedPipe) return CLOSED_PIPE;
    if (!isClfsError(error)) throw error;
    if (json) process.stdout.write(errorLine(error.code, messageOf(error)));
    teller(process.stderr)(`${escapeText(redact(messageOf(error)))}\n`);
    return FAILURE;
  }
}

function interruption(): AbortSignal {
  const controller = new AbortController();
  onSignal(
    ['SIGINT', 'SIGTERM'],
    () => controller.abort(),
    () => exitAtOnce(INTERRUPTED),
  );
  return controller.signal;
}
