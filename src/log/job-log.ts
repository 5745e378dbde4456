import { fstatSync, openSync, readdirSync, readFileSync, readSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { closeQuietly } from '../posix/close-quietly.js';
import { escapeLine } from '../text/escape-path.js';

/** Levels of the job log, in azcopy's words, most talkative first. */
export const LOG_LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The log of a job. Writing to it never fails the job. */
export interface JobLog {
  write(level: LogLevel, text: string): void;
  /** Whether lines of a level are written: what is laborious is not prepared in vain. */
  includes(level: LogLevel): boolean;
  /**
   * Parts of the log from the oldest to the newest, each small enough for one put. Of those that were put aside, what
   * somebody has removed meanwhile is left out.
   */
  parts(): readonly Buffer[];
  close(): void;
}

/** Size at which a log file is put aside. */
const ROTATE_BYTES = 16 * 1048576;
/** Files that are kept; the oldest goes first. */
const KEPT_FILES = 8;
/** To write at its end, and to read it. */
const OPENING = 'a+';

/**
 * Opens the log file of a job, at its end if there is one.
 *
 * @param path of the file, in a directory that is there
 * @param redact takes secrets out of every line
 */
export function openJobLog(path: string, threshold: LogLevel, redact: (text: string) => string): JobLog {
  let fd: number | undefined = openSync(path, OPENING);
  let size = fstatSync(fd).size;
  const lowest = LOG_LEVELS.indexOf(threshold);
  const includes = (level: LogLevel) => fd !== undefined && LOG_LEVELS.indexOf(level) >= lowest;
  return {
    includes,
    write(level, text) {
      if (fd === undefined || !includes(level)) return;
      const line = `${new Date().toISOString()} ${level} ${escapeLine(redact(text))}\n`;
      try {
        if (size > ROTATE_BYTES) {
          const full = fd;
          unlessMissing(() => rotate(path));
          fd = openSync(path, OPENING);
          size = 0;
          closeQuietly(full);
        }
        size += writeSync(fd, line);
      } catch {
        // A full disk shall stop the job where its state is written, with a reason; not here.
      }
    },
    parts() {
      const asides = unlessMissing(() => rotated(path)) ?? [];
      const files = asides.flatMap((number) => unlessMissing(() => readFileSync(numbered(path, number))) ?? []);
      // What is written is open: its name may have been taken away, as what clears old files away does.
      return fd === undefined ? files : [...files, readWhole(fd)];
    },
    close() {
      if (fd !== undefined) closeQuietly(fd);
      fd = undefined;
    },
  };
}

function readWhole(fd: number): Buffer {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  let at = 0;
  for (let count = -1; at < bytes.length && count !== 0; at += count)
    count = readSync(fd, bytes, at, bytes.length - at, at);
  return bytes.subarray(0, at);
}

/** @returns undefined when a file or its directory is not there */
function unlessMissing<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
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
