import { patiently } from '../../posix/descriptors.js';
import { close, Open } from '../../posix/libc.js';
import { openAtLater } from '../../posix/libc-later.js';

const SLASH = 0x2f;
const HERE = Buffer.from('.');

/**
 * File systems that are mounted in a target, as far as something is written to them: a sync of the target's own does
 * not make that durable.
 *
 * Each is held open by a description of its own, since the system tells each description once of bytes that it could
 * not write. To be closed.
 */
export class MountedPlaces {
  readonly #points: readonly Buffer[];
  readonly #open = new Map<string, number>();
  #isClosed = false;

  /** @param points paths below the target's root at which something is mounted */
  constructor(points: readonly Uint8Array[]) {
    this.#points = points.map((point) => Buffer.from(point)).sort((a, b) => b.length - a.length);
  }

  /** Descriptors of those to which something is written. */
  get descriptors(): Iterable<number> {
    return this.#open.values();
  }

  /** Whether a directory is in one of them of which it is not known yet that something is written to it. */
  isNew(path: Buffer): boolean {
    const point = this.pointOf(path);
    return point !== undefined && !this.#open.has(point);
  }

  /** Notes that something is going to be written in a directory. @param fd of it @throws ClfsError `open-files` */
  async note(path: Buffer, fd: number): Promise<void> {
    const point = this.pointOf(path);
    if (point === undefined || this.#open.has(point)) return;
    // By Node, which closes it when its thread ends; in the pool, since what is mounted there may not answer.
    const own = await patiently(path, () => openAtLater(fd, HERE, Open.readOnly | Open.directory));
    // Somebody else has noted it meanwhile; or nobody would close it any more.
    if (this.#isClosed || this.#open.has(point)) close(own);
    else this.#open.set(point, own);
  }

  close(): void {
    this.#isClosed = true;
    for (const fd of this.#open.values()) close(fd);
    this.#open.clear();
  }

  /** The innermost that a directory is in. */
  pointOf(path: Buffer): string | undefined {
    for (const point of this.#points) {
      const { length } = point;
      if (path.subarray(0, length).equals(point) && (path.length === length || path[length] === SLASH))
        return point.toString('latin1');
    }
    return undefined;
  }
}
