import { ClfsError, escapeText, messageOf, Pace, type ServiceFigures } from '../index.js';
import { type ProgressFigures, serviceFigures } from './progress/figures.js';
import { StatusLine } from './progress/status-line.js';
import { stoppedText } from './progress/stopped-text.js';
import { isFile, progressStream, teller, writeToFile } from './standard-streams.js';
import type { VerbIo } from './verbs/verb.js';

const NEWLINE = 0x0a;
/** What is written to a pipe has been read, and shown, after this long. */
const READER_MS = 500;
const SHOW_MS = 1000;

/** The reader of standard output has closed it: the verb ends, and says nothing of it. */
export class ClosedPipe extends Error {}

/** Where a verb writes: standard output and standard error. */
export interface ProgramIo extends VerbIo {
  /** Waits until everything has been taken, but not after a signal. @throws as {@link VerbIo.write} */
  finish(): Promise<void>;
  /** Erases the line of progress, before something else is written to standard error. */
  clearProgress(): void;
  /** How far the verb has come, in sentences, when it is stopped. */
  howFar(): string;
}

/**
 * Opens standard output and standard error for a verb.
 *
 * Output must arrive whole: a full disk is an error; a pipe that its reader has closed is not.
 */
export function createIo(signal: AbortSignal): ProgramIo {
  const pace = new Pace(signal);
  const put = isFile(process.stdout) ? writeOrFail : streamWriter(process.stdout, signal);
  const tell = teller(process.stderr);
  const line = new StatusLine(progressStream(process.stderr));
  const onOneTerminal = process.stdout.isTTY && process.stderr.isTTY;
  // What reads from a pipe may well write to the terminal on which the line stands.
  const throughReader = process.stderr.isTTY && !process.stdout.isTTY && !isFile(process.stdout);
  let lineHasBegun = false;
  let writtenMs = Number.NEGATIVE_INFINITY;
  let figures: (() => ProgressFigures) | undefined;
  let service: (() => ServiceFigures) | undefined;
  let findings = 0;
  const withService = (now: ProgressFigures) => (service ? { ...now, ...serviceFigures(service()) } : now);
  // It would be written into what is shown there, and erase it.
  const show = () => {
    const now = figures;
    if (now && !lineHasBegun && performance.now() - writtenMs > READER_MS) line.show(() => withService(now()));
  };
  // Also while nothing goes on, since something does not answer.
  const timer = setInterval(show, SHOW_MS).unref();
  return {
    signal,
    async write(bytes) {
      if (onOneTerminal) {
        line.clear();
        lineHasBegun = bytes.length > 0 && bytes.at(-1) !== (typeof bytes === 'string' ? '\n' : NEWLINE);
      } else if (throughReader) {
        line.clear();
        writtenMs = performance.now();
      }
      await put(bytes);
      await pace.pause();
    },
    async finish() {
      clearInterval(timer);
      line.clear();
      await put('');
    },
    complain(text) {
      line.clear();
      tell(`${escapeText(text)}\n`);
    },
    progress(now) {
      figures = now;
      show();
    },
    service(look) {
      service = look;
    },
    found() {
      findings++;
    },
    endsByItself: () => undefined,
    clearProgress() {
      clearInterval(timer);
      line.clear();
    },
    howFar: () => stoppedText(figures?.(), findings),
  };
}

async function writeOrFail(bytes: string | Uint8Array): Promise<void> {
  try {
    writeToFile(process.stdout, bytes);
  } catch (error) {
    throw outputError(error);
  }
}

/** Writes as fast as the reader reads; after the signal is aborted it is not waited for any more. */
function streamWriter(stream: NodeJS.WriteStream, signal: AbortSignal): (bytes: string | Uint8Array) => Promise<void> {
  let failure: Error | undefined;
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  stream.on('error', (error: NodeJS.ErrnoException) => {
    failure ??= error.code === 'EPIPE' ? new ClosedPipe() : outputError(error);
    wake();
  });
  stream.on('close', wake);
  signal.addEventListener('abort', wake);
  return async (bytes) => {
    if (failure) throw failure;
    let taken = false;
    const onTaken = () => {
      taken = true;
      wake();
    };
    // An empty write marks the end of the output: it waits for everything before it.
    if (stream.write(bytes, onTaken) && bytes.length > 0) return;
    const isGivenUp = () => signal.aborted && stream.writableLength > 0;
    while (!taken && !failure && !isGivenUp() && !stream.destroyed)
      await new Promise<void>((resolve) => waiting.add(resolve));
    if (failure) throw failure;
    if (taken) return;
    signal.throwIfAborted();
    throw new ClosedPipe();
  };
}

function outputError(cause: unknown): ClfsError {
  return new ClfsError(
    'target',
    `Cannot write to standard output: ${messageOf(cause)}. What was written so far is not complete.`,
    { cause },
  );
}
