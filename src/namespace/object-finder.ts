import type { Container } from '../container/container.js';
import { hash64Hex } from '../format/hash.js';
import { idHex, NOT_FINAL_OWNER } from '../format/ids.js';
import { decodeObjectName, objectNamePrefix, type ParsedName } from '../format/names.js';
import { Pace } from './pace.js';

/** One blob that is an object's version. */
export interface ObjectBlob {
  readonly name: string;
  readonly sizeBytes: number;
  readonly key: ParsedName;
}

/** A blob of a listing: as small as can be, since there can be many millions. What its name says is taken from it whenever asked for. */
class ListedBlob implements ObjectBlob {
  readonly name: string;
  readonly sizeBytes: number;

  constructor(name: string, sizeBytes: number) {
    this.name = name;
    this.sizeBytes = sizeBytes;
  }

  get key(): ParsedName {
    const key = decodeObjectName(this.name);
    if (!key) throw new Error(`${this.name} is no object's name.`);
    return key;
  }
}

/** A copy that does not keep alive the text which it was cut from: a page of a listing. */
function compact(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** Finds the blob that counts for an id. */
export interface ObjectFinder {
  /** @returns undefined when no blob has the id */
  find(id: Uint8Array): Promise<ObjectBlob | undefined>;
}

const NOT_FINAL_HASH = hash64Hex(NOT_FINAL_OWNER);

/**
 * Of two blobs of one id, whether the first counts: the higher version; among equal ones the one that is final.
 *
 * Source: docs/format.md 3.4
 */
function counts(first: ObjectBlob, second: ObjectBlob): boolean {
  if (first.key.version !== second.key.version) return first.key.version > second.key.version;
  const firstFinal = first.key.ownerHash !== NOT_FINAL_HASH;
  const secondFinal = second.key.ownerHash !== NOT_FINAL_HASH;
  if (firstFinal !== secondFinal) return firstFinal;
  return first.name > second.name;
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
  };
}

/** A whole container's listing. */
export interface ContainerIndex extends ObjectFinder {
  /** The blobs that count, one an id. */
  readonly objects: ReadonlyMap<string, ObjectBlob>;
  /** Blobs that another version of their id supersedes. */
  readonly superseded: readonly ObjectBlob[];
  /** Blobs whose names are not those of objects, with their sizes. */
  readonly others: readonly { readonly name: string; readonly sizeBytes: number }[];
}

/**
 * Lists a container once and finds everything in that listing.
 *
 * @param onPage told how many blobs have been listed
 */
export async function indexContainer(container: Container, onPage?: (blobs: number) => void, pace: Pace = new Pace()): Promise<ContainerIndex> {
  const objects = new Map<string, ObjectBlob>();
  const superseded: ObjectBlob[] = [];
  const others: { name: string; sizeBytes: number }[] = [];
  let blobs = 0;
  for await (const page of container.list('')) {
    await pace.pause();
    for (const { name, sizeBytes } of page) {
      const key = decodeObjectName(name);
      if (!key) {
        others.push({ name, sizeBytes });
        continue;
      }
      const blob = new ListedBlob(compact(name), sizeBytes);
      const hex = idHex(key.id);
      const known = objects.get(hex);
      if (!known) objects.set(hex, blob);
      else if (counts(blob, known)) {
        objects.set(hex, blob);
        superseded.push(known);
      } else superseded.push(blob);
    }
    blobs += page.length;
    onPage?.(blobs);
  }
  return { objects, superseded, others, find: (id) => Promise.resolve(objects.get(idHex(id))) };
}
