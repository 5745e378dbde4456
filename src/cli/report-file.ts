import { ClfsError, messageOf, quotePath } from '../index.js';
import { openOutput } from './open-output.js';

const BUFFERED_BYTES = 65536;

/**
 * A file that lines are written to: without holding up the thread, which hears signals meanwhile, since it may be a pipe
 * that nobody reads. To be closed: only then are all of them in it.
 */
export interface ReportFile {
  /** Keeps a line, to be written. */
  write(line: string): void;
  /** Writes what is kept, when it is much; undefined: it is not. @throws ClfsError `target` when the disk is full */
  drain(): Promise<void> | undefined;
  /** @throws ClfsError `target` */
  close(): Promise<void>;
}

/** Opens a file for a report, in place of what it held. @throws ClfsError `usage` */
export async function openReportFile(file: Buffer): Promise<ReportFile> {
  const handle = await openOutput(file);
  let kept: string[] = [];
  let length = 0;
  const attempt = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (cause) {
      throw new ClfsError(
        'target',
        `Cannot write ${quotePath(file)}: ${messageOf(cause)}. The report is not complete.`,
        { cause },
      );
    }
  };
  const flush = async () => {
    const bytes = Buffer.from(kept.join(''));
    kept = [];
    length = 0;
    await attempt(async () => {
      for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten;
    });
  };
  return {
    write(line) {
      kept.push(line);
      length += line.length;
    },
    drain: () => (length < BUFFERED_BYTES ? undefined : flush()),
    async close() {
      try {
        await flush();
      } finally {
        await attempt(() => handle.close());
      }
    },
  };
}
