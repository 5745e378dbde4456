import { ClfsError } from '../error.js';
import { idHex, ROOT_ID } from '../format/ids.js';
import type { ByteSet } from '../spill/spilled-set.js';
import type { ContainerReader } from './reader.js';
import { WalkAhead, type WalkedEntry } from './walk-ahead.js';

export type { WalkedEntry };

/**
 * Walks a tree, each directory before what is in it, in the order of the directories' entries.
 *
 * What cannot be read is reported as an entry with an error, and passed over. No directory is entered twice.
 *
 * @param entered ids of directories that were entered already; those that this walk enters are added
 * @throws whatever the container throws beside `format` and `not-found`
 */
export async function* walk(
  reader: ContainerReader,
  start: Uint8Array = ROOT_ID,
  entered?: ByteSet,
): AsyncGenerator<WalkedEntry> {
  const met = entered ?? reader.finder.idSet();
  const ahead = new WalkAhead(reader, start);
  let isFirst = true;
  const mayEnter = (directory: Uint8Array, isTooDeep: boolean) => {
    const isNew = !isTooDeep && met.add(directory);
    return isNew || isFirst;
  };
  try {
    for (let next = await ahead.take(mayEnter); next; next = await ahead.take(mayEnter)) {
      isFirst = false;
      yield next.isLeft ? enteredBefore(next.entry) : next.entry;
    }
  } finally {
    ahead.close();
    if (!entered) met.close();
  }
}

function enteredBefore(entry: WalkedEntry): WalkedEntry {
  const message = `The directory ${idHex(entry.handle)} is in the tree more than once.`;
  return { ...entry, found: undefined, error: new ClfsError('format', message) };
}
