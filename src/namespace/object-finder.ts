import type { Container } from '../container/container.js';
import { decodeObjectName, objectNamePrefix } from '../format/names.js';
import { type ByteSet, SpilledSet } from '../spill/spilled-set.js';
import { counts, type ObjectBlob } from './object-blob.js';
import { Pace } from './pace.js';

/** Finds the blob that counts for an id. */
export interface ObjectFinder {
  /** @returns undefined when no blob has the id */
  find(id: Uint8Array): Promise<ObjectBlob | undefined>;
  /** An empty set for ids that {@link find} finds. To be closed. */
  idSet(): ByteSet;
}

/** Asks the service for each id: for single paths, without a listing of the container. */
export function createDirectFinder(container: Container, pace: Pace = new Pace()): ObjectFinder {
  return {
    async find(id) {
      let best: ObjectBlob | undefined;
      for await (const page of container.list(objectNamePrefix(id))) {
        await pace.pause();
        for (const { name, sizeBytes } of page) {
          const key = decodeObjectName(name);
          if (!key) continue;
          const blob = { name, sizeBytes, key };
          if (!best || counts(blob, best)) best = blob;
        }
      }
      return best;
    },
    idSet: () => new SpilledSet(),
  };
}
