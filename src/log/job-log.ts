import { closeSync, openSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Levels of the job log, in azcopy's words, most talkative first. */
export const LOG_LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The log of a job. Writing to it never fails the job. */
export interface JobLog {
  write(level: LogLevel, text: string): void;
  /** Whether lines of a level are written: what is laborious is not prepared in vain. */
  includes(level: LogLevel): boolean;
  /** Parts of the log from the oldest to the newest, each small enough for one put. */
  parts(): readonly Buffer[];
  close(): void;
}

/** Size at which a log file is put aside. */
const ROTATE_BYTES = 16 * 1048576;
/** Files that are kept; the oldest goes first. */
const KEPT_FILES = 8;

/**
 * Opens the log file of a job, at its end if there is one.
 *
 * @param path of the file, in a directory that is there
 * @param redact takes secrets out of every line
 */
export function openJobLog(path: string, threshold: LogLevel, redact: (text: string) => string): JobLog {
  let fd: number | undefined = openSync(path, 'a');
  let size = statSync(path).size;
  const lowest = LOG_LEVELS.indexOf(threshold);
  const includes = (level: LogLevel) => fd !== undefined && LOG_LEVELS.indexOf(level) >= lowest;
  return {
    includes,
    write(level, text) {
      if (fd === undefined || !includes(level)) return;
      const line = `${new Date().toISOString()} ${level} ${redact(text).replaceAll('\n', ' ')}\n`;
      try {
        if (size > ROTATE_BYTES) {
          closeSync(fd);
          rotate(path);
          fd = openSync(path, 'a');
          size = 0;
        }
        size += writeSync(fd, line);
      } catch {
        // A full disk shall stop the job where its state is written, with a reason; not here.
      }
    },
    parts() {
      return [...rotated(path).map((number) => numbered(path, number)), path].map((file) => readFileSync(file));
    },
    close() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}

function numbered(path: string, number: number): string {
  return path.replace(/\.log$/, `.${number}.log`);
}

/** Numbers of the files put aside, the oldest first. */
function rotated(path: string): number[] {
  const prefix = basename(path).slice(0, -'log'.length);
  const numbers = readdirSync(dirname(path)).map((name) =>
    name.startsWith(prefix) ? Number(/^(\d+)\.log$/.exec(name.slice(prefix.length))?.[1] ?? Number.NaN) : Number.NaN,
  );
  return numbers.filter((number) => !Number.isNaN(number)).sort((a, b) => a - b);
}

function rotate(path: string): void {
  const numbers = rotated(path);
  renameSync(path, numbered(path, (numbers.at(-1) ?? 0) + 1));
  for (const number of numbers.slice(0, Math.max(0, numbers.length + 2 - KEPT_FILES)))
    unlinkSync(numbered(path, number));
}
