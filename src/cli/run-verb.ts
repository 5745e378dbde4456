import { escapeText, exitAtOnce, isClfsError, messageOf, redact } from '../index.js';
import { errorLine } from './fields-line.js';
import { leaveAtOnce } from './leave-at-once.js';
import { onSignal } from './on-signal.js';
import { teller } from './standard-streams.js';
import { ClosedPipe, createIo, type ProgramIo } from './verb-io.js';
import type { VerbIo } from './verbs/verb.js';

const FAILURE = 2;
const INTERRUPTED = 130;
/** So long what a verb waits for may take once it is stopped. */
const LAST_ANSWER_MS = 10_000;
/** As of a program that SIGPIPE ends: what it wrote is not whole, and it may not have looked at everything. */
const CLOSED_PIPE = 141;

/**
 * Runs a verb with the program's own output: the first SIGINT or SIGTERM ends it soon, a second one ends the process at
 * once.
 *
 * @param json where an error is told in JSON too
 * @returns exit code
 */
export async function runVerb(run: (io: VerbIo) => Promise<number>, json?: NodeJS.WriteStream): Promise<number> {
  leaveAtOnce();
  let endsByItself = false;
  const end = (): never => {
    io.clearProgress();
    const text = io.howFar();
    // Somebody who has not read what came before may not read this either.
    if (json?.writableLength === 0) json.write(errorLine('cancelled', text));
    teller(process.stderr)(`${escapeText(text)}\n`);
    // At once: output that nobody reads, a request that nobody answers or a call that hangs would keep the process alive.
    return exitAtOnce(INTERRUPTED);
  };
  const signal = interruption(() => {
    // Some calls of a file system that never end are waited for by nobody who hears of the stop.
    setTimeout(() => {
      if (!endsByItself) end();
    }, LAST_ANSWER_MS).unref();
  });
  const io: ProgramIo = {
    ...createIo(signal),
    endsByItself() {
      endsByItself = true;
    },
  };
  try {
    const exit = await run(io);
    // Its code holds when all that it wrote has been taken, also after a signal, which is no failure of a worker.
    await io.finish();
    return exit;
  } catch (error) {
    io.clearProgress();
    if (signal.aborted) end();
    if (error instanceof ClosedPipe) return CLOSED_PIPE;
    if (!isClfsError(error)) throw error;
    json?.write(errorLine(error.code, messageOf(error)));
    teller(process.stderr)(`${escapeText(redact(messageOf(error)))}\n`);
    return FAILURE;
  }
}

/** @param stopped called at the first signal */
function interruption(stopped: () => void): AbortSignal {
  const controller = new AbortController();
  onSignal(
    ['SIGINT', 'SIGTERM'],
    () => {
      stopped();
      controller.abort();
    },
    () => exitAtOnce(INTERRUPTED),
    INTERRUPTED,
  );
  return controller.signal;
}
