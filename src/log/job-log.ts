import { closeSync, openSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Levels of the job log, in azcopy's words, most talkative first. */
export const LOG_LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The log of a job. Writing to it never fails the job. */
export interface JobLog {
  write(level: LogLevel, text: string): void;
  /** Parts of the log from the oldest to the newest, each small enough for one put. */
  parts(): readonly Buffer[];
  close(): void;
}

/** Size at which a log file is put aside. */
const ROTATE_BYTES = 16 * 1048576;
/** Files that are kept; the oldest goes first. */
const KEPT_FILES = 8;
const FILE = 'clfsload.log';

/**
 * Opens the log file of a job, at its end if there is one.
 *
 * @param redact takes secrets out of every line
 */
export function openJobLog(directory: string, threshold: LogLevel, redact: (text: string) => string): JobLog {
  const path = join(directory, FILE);
  let fd: number | undefined = openSync(path, 'a');
  let size = statSync(path).size;
  const lowest = LOG_LEVELS.indexOf(threshold);
  return {
    write(level, text) {
      if (fd === undefined || LOG_LEVELS.indexOf(level) < lowest) return;
      const line = `${new Date().toISOString()} ${level} ${redact(text).replaceAll('\n', ' ')}\n`;
      try {
        if (size > ROTATE_BYTES) {
          closeSync(fd);
          rotate(directory);
          fd = openSync(path, 'a');
          size = 0;
        }
        size += writeSync(fd, line);
      } catch {
        // A full disk shall stop the job where its state is written, with a reason; not here.
      }
    },
    parts() {
      return [...rotated(directory).map((number) => join(directory, numbered(number))), path].map((file) => readFileSync(file));
    },
    close() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}

function numbered(number: number): string {
  return `clfsload.${number}.log`;
}

/** Numbers of the files put aside, the oldest first. */
function rotated(directory: string): number[] {
  const numbers = readdirSync(directory).map((name) => Number(/^clfsload\.(\d+)\.log$/.exec(name)?.[1] ?? Number.NaN));
  return numbers.filter((number) => !Number.isNaN(number)).sort((a, b) => a - b);
}

function rotate(directory: string): void {
  const numbers = rotated(directory);
  renameSync(join(directory, FILE), join(directory, numbered((numbers.at(-1) ?? 0) + 1)));
  for (const number of numbers.slice(0, Math.max(0, numbers.length + 2 - KEPT_FILES))) unlinkSync(join(directory, numbered(number)));
}
