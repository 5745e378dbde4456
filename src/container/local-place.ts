import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { ClfsError, messageOf } from '../error.js';
import { PosixError } from '../posix/posix-error.js';
import type { SharedDescriptor } from '../posix/shared-descriptor.js';
import type { Clock } from '../time/clock.js';
import type { DirectoryNames, Soon } from './local-files.js';
import type { LocalWays } from './local-ways.js';

/** How long to wait for a file descriptor when there is none: others close theirs within this time, or not at all. */
const DESCRIPTORS_MS = 60_000;
const LONGEST_DELAY_MS = 500;
const NO_DESCRIPTORS = new Set(['EMFILE', 'ENFILE']);

/** The directory of a container on disk, open, and how it is called. */
export class LocalPlace {
  readonly directory: string;
  /** Of the directory. */
  readonly descriptor: SharedDescriptor;
  readonly ways: LocalWays;
  readonly clock: Clock;

  constructor(directory: string, descriptor: SharedDescriptor, ways: LocalWays, clock: Clock) {
    this.directory = directory;
    this.descriptor = descriptor;
    this.ways = ways;
    this.clock = clock;
  }

  /** Where a blob is. @throws ClfsError `container` when its name cannot be that of a file */
  path(name: string): string {
    if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
      throw new ClfsError('container', `The blob name ${JSON.stringify(name)} cannot be a file name.`);
    }
    return join(this.directory, name);
  }

  /**
   * All names in the directory, some at a time: timers and signals get a turn in between.
   *
   * @param action for what, for the message
   * @throws ClfsError as {@link failure}
   */
  async *names(action: string): AsyncGenerator<readonly string[]> {
    const { directory: path, ways } = this;
    let directory: DirectoryNames | undefined;
    const next = async () => {
      try {
        directory ??= await this.withDescriptors(() => ways.do(path, (files) => files.openDirectory(path)));
        const opened = directory;
        return await ways.do(path, () => opened.next());
      } catch (error) {
        throw this.failure(action, path, error);
      }
    };
    try {
      for (let names = await next(); names.length > 0; names = await next()) {
        yield names;
        await setImmediate();
      }
    } finally {
      const opened = directory;
      if (opened) await ways.last(path, () => opened.close());
    }
  }

  /** Does something that needs a descriptor; while there is none, tries again when others may have closed theirs. */
  withDescriptors<T>(work: () => Soon<T>): Soon<T> {
    // Not asynchronous where nothing is waited for, as is usual.
    try {
      const done = work();
      return done instanceof Promise ? done.catch((error: unknown) => this.#whenThereAre(work, error)) : done;
    } catch (error) {
      return this.#whenThereAre(work, error);
    }
  }

  /** @param failure of the first try */
  async #whenThereAre<T>(work: () => Soon<T>, failure: unknown): Promise<T> {
    const begun = this.clock.monotonic();
    let latest = failure;
    for (let delayMs = 5; ; delayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS)) {
      if (!NO_DESCRIPTORS.has(codeOf(latest)) || this.clock.monotonic() - begun > DESCRIPTORS_MS) throw latest;
      await this.clock.sleep(delayMs);
      this.ways.requireGoing();
      try {
        return await work();
      } catch (error) {
        latest = error;
      }
    }
  }

  failure(action: string, what: string, error: unknown): ClfsError {
    return failureOf(this.directory, action, what, error);
  }
}

/** What a call failed with; empty where it is no failure of the system. */
export function codeOf(error: unknown): string {
  return error instanceof PosixError ? error.errno : ((error as NodeJS.ErrnoException).code ?? '');
}

/** What is said of a failure in a container on disk: as `Container` says. */
export function failureOf(directory: string, action: string, what: string, error: unknown): ClfsError {
  if (error instanceof ClfsError) return error;
  const code = codeOf(error);
  if (code === 'ENOENT' && what === directory)
    return new ClfsError(
      'container-missing',
      `There is no directory ${JSON.stringify(directory)}, and so no container.`,
      {
        cause: error,
      },
    );
  const text = `Cannot ${action} ${JSON.stringify(what)} in the container ${JSON.stringify(directory)}: ${messageOf(error)}.`;
  if (code === 'ENOENT') return new ClfsError('container-missing', text, { cause: error });
  if (code === 'EACCES' || code === 'EPERM') return new ClfsError('access-denied', text, { cause: error });
  return new ClfsError('container', text, { cause: error });
}
