import { closeSync, openSync, writeSync } from 'node:fs';
import { ClfsError, messageOf, quotePath } from '../index.js';

const BUFFERED_BYTES = 65536;

/** A file that lines are written to. To be closed: only then are all of them in it. */
export interface ReportFile {
  /** @throws ClfsError `target` when the disk is full */
  write(line: string): void;
  /** @throws ClfsError `target` */
  close(): void;
}

/** Opens a file for a report, in place of what it held. @throws ClfsError `usage` */
export function openReportFile(file: Buffer): ReportFile {
  let fd: number;
  try {
    fd = openSync(file, 'w');
  } catch (cause) {
    throw new ClfsError('usage', `Cannot write ${quotePath(file)}: ${messageOf(cause)}.`, { cause });
  }
  let buffered: string[] = [];
  let length = 0;
  const attempt = (work: () => void) => {
    try {
      work();
    } catch (cause) {
      throw new ClfsError(
        'target',
        `Cannot write ${quotePath(file)}: ${messageOf(cause)}. The report is not complete.`,
        { cause },
      );
    }
  };
  const flush = () => {
    const bytes = Buffer.from(buffered.join(''));
    buffered = [];
    length = 0;
    attempt(() => {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
    });
  };
  return {
    write(line) {
      buffered.push(line);
      length += line.length;
      if (length >= BUFFERED_BYTES) flush();
    },
    close() {
      try {
        flush();
      } finally {
        attempt(() => closeSync(fd));
      }
    },
  };
}
