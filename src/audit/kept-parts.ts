import { joined, SpilledList, separated } from '../spill/spilled-list.js';
import type { DirectoryPart } from './tasks/kinds.js';

/** Parts of a directory that are kept until it was told to the end; beyond some megabytes on disk. */
export class KeptParts {
  #parts = new SpilledList();

  add({ chunks, missing, extra }: DirectoryPart): void {
    this.#parts.push(joined([joined(chunks), joined(missing), joined(extra)]));
  }

  /** What was added, in its order. */
  *all(): Generator<DirectoryPart> {
    for (const part of this.#parts) {
      const [chunks, missing, extra] = [...separated(Buffer.from(part))].map((each) => [...separated(each)]);
      yield { chunks, missing, extra };
    }
  }

  /** Begins anew; gives back what is on disk. */
  clear(): void {
    this.#parts.close();
    this.#parts = new SpilledList();
  }
}
