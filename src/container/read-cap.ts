import { ClfsError } from '../error.js';
import type { ContainerPlace } from './open-container.js';
import { createRateLimit, type RateLimit, RateShare } from './rate-limit.js';

/** A cap for what is read, which lanes of this process keep together. */
export interface ReadCap {
  /** Megabits per second of all lanes, those elsewhere included. */
  readonly mbps: number;
  /** Memory of its {@link RateShare}. */
  readonly memory: SharedArrayBuffer;
  readonly limit: RateLimit;
  /** Has the lanes of this process keep another rate, as when workers elsewhere have a share. */
  change(megabitsPerSecond: number): void;
}

/**
 * Makes a cap for what is read.
 *
 * @param megabitsPerSecond 0: none
 * @returns undefined without one
 * @throws ClfsError `usage` for a container on disk
 */
export function readCap(place: ContainerPlace, megabitsPerSecond = 0): ReadCap | undefined {
  if (megabitsPerSecond === 0) return undefined;
  if (place.kind === 'local')
    throw new ClfsError(
      'usage',
      '--cap-mbps holds what is read from a service to a rate, and a container on disk has none: leave it out, or name 0.',
    );
  const share = new RateShare();
  const change = (rate: number) => {
    share.capMbps[0] = rate;
  };
  change(megabitsPerSecond);
  return { mbps: megabitsPerSecond, memory: share.memory, limit: createRateLimit(megabitsPerSecond, share), change };
}
