import { fstatSync, writeSync } from 'node:fs';
import type { ProgressStream } from './progress/status-line.js';

/** What was asked for cannot be written to standard output; the message is the whole text for the user. */
export class OutputError extends Error {}

/** Standard output or standard error. */
type StandardStream = NodeJS.WriteStream & { readonly fd: 1 | 2 };

/**
 * Whoever reads what the program says may go away, and the disk that it goes to may be full: neither ends a job. Without
 * this Node does.
 */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}

/** Whether a stream is a file, or a device such as /dev/null. */
export function isFile({ fd, isTTY }: StandardStream): boolean {
  const status = fstatSync(fd);
  return status.isFile() || (status.isCharacterDevice() && !isTTY);
}

/** Writes to the file that a stream is: Node's stream does not report a disk that becomes full within one write. */
export function writeToFile({ fd }: StandardStream, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
}

/**
 * Has something said on a stream. What cannot be written is lost, and what comes after it is not: Node's stream would take
 * nothing more after a disk was full once.
 */
export function teller(stream: StandardStream): (text: string) => void {
  if (!isFile(stream)) return (text) => void stream.write(text);
  return (text) => {
    try {
      writeToFile(stream, text);
    } catch {
      // Nobody can be told.
    }
  };
}

/** A stream for a line of progress, written to as by {@link teller}. */
export function progressStream(stream: StandardStream): ProgressStream {
  return {
    isTTY: stream.isTTY,
    get columns() {
      return stream.columns;
    },
    hasColors: () => stream.hasColors(),
    write: teller(stream),
  };
}

/** Prints what was asked for. @throws OutputError when it does not arrive in a file */
export function print(text: string): void {
  if (!isFile(process.stdout)) {
    process.stdout.write(text);
    return;
  }
  try {
    writeToFile(process.stdout, text);
  } catch (cause) {
    throw new OutputError(`cannot write to standard output: ${(cause as Error).message}`, { cause });
  }
}
