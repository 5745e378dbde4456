import { isClfsError } from '../error.js';
import type { JobLog } from '../log/job-log.js';
import { type DescriptorPlaces, descriptorPlaces } from '../posix/descriptors.js';
import type { Selection } from '../source/selection.js';
import type { DirectoryIdentity, SourceAttributes, SourceDirectory } from '../source/source-tree.js';
import { quotePath } from '../text/escape-path.js';
import { unlessStopped } from '../waits/waits.js';
import { openDirectory } from '../worker/context.js';
import { directoryAttributes } from '../worker/source-looks.js';
import type { SourceTools } from './look-at-source.js';

/** File systems that one process holds. */
const MOST_HELD = 4096;
/** The lanes have half of the descriptors, and connections and blobs the rest of this. */
const SHARE = 4;
/** Devices that the kernel makes up at each mount, of which each number is given to the next one. */
const MADE_UP = /^0:/;

/** What of a job is to be known. */
interface HoldingJob {
  readonly log: Pick<JobLog, 'write'>;
  readonly constants: { readonly spec: { readonly selection: Pick<Selection, 'oneFileSystem'> } };
}

/**
 * The file systems below the root of a source, each of which is held by an open directory of it while a session runs.
 *
 * A session knows file systems by numbers of devices. One without a device of its own (NFS, say) gets a number when it is
 * mounted, and its former one is given to whatever is mounted next. Held, none expires that is mounted when it is
 * wanted (autofs, or a server of NFS), to come back by another number; and no number comes to be another one's. So an
 * administrator who unmounts one is told that it is busy.
 */
export class HeldMounts {
  readonly #job: HoldingJob;
  readonly #tools: SourceTools;
  readonly #places: DescriptorPlaces;
  readonly #held = new Map<number, SourceDirectory>();
  #isClosed = false;
  #isFull = false;

  constructor(job: HoldingJob, tools: SourceTools, places?: DescriptorPlaces) {
    this.#job = job;
    this.#tools = tools;
    this.#places = places ?? descriptorPlaces(MOST_HELD, { sharers: SHARE });
  }

  /**
   * Attributes of a directory, whose file system is held from now on.
   *
   * @throws as `SourceTree.openDirectory`; ClfsError `open-files`, `cancelled`
   */
  look(fileSystem: number, path: Buffer, expected: DirectoryIdentity): Promise<SourceAttributes> {
    const { work, signal } = this.#tools;
    return unlessStopped(signal, async () => {
      const directory = await openDirectory(work, path, expected);
      let isHeld = false;
      try {
        const attributes = await directoryAttributes(directory, path, work);
        isHeld = this.#hold(fileSystem, attributes.device, path, directory);
        return attributes;
      } finally {
        if (!isHeld) directory.close();
      }
    });
  }

  /** Has the file system held of a directory that was met just now. What cannot be opened cannot be loaded, either. */
  async take(fileSystem: number, path: Buffer, expected: DirectoryIdentity): Promise<void> {
    if (this.#isToBeHeld(fileSystem, expected.device ?? ''))
      await this.look(fileSystem, path, expected).catch((error: unknown) => {
        if (!isClfsError(error)) throw error;
      });
  }

  /** Lets go of all of them. */
  close(): void {
    this.#isClosed = true;
    for (const directory of this.#held.values()) directory.close();
    this.#held.clear();
  }

  #isToBeHeld(fileSystem: number, device: string): boolean {
    // Where what is mounted is left out, nothing is asked of it.
    const isWanted = !this.#job.constants.spec.selection.oneFileSystem;
    return isWanted && !this.#isClosed && !this.#held.has(fileSystem) && MADE_UP.test(device);
  }

  #hold(fileSystem: number, device: string, path: Buffer, directory: SourceDirectory): boolean {
    if (!this.#isToBeHeld(fileSystem, device)) return false;
    if (this.#places.tryTake()) {
      this.#held.set(fileSystem, directory);
      return true;
    }
    if (!this.#isFull)
      this.#job.log.write(
        'WARNING',
        `${quotePath(path)}: not all file systems that are mounted in the source can be held, since this process may have too few open files ("ulimit -n"): what is in one that is unmounted and mounted again meanwhile may fail, until the job goes on in another session`,
      );
    this.#isFull = true;
    return false;
  }
}
