import { idHex, isRootId } from '../format/ids.js';
import { SpilledList } from '../spill/spilled-list.js';
import { SpilledMap } from '../spill/spilled-map.js';
import { LOST_AND_FOUND_ID } from './salvage-ids.js';
import { Origin, type SalvageTree } from './salvage-tree.js';

const ANCHORED = bytesOfNumber(0);

/**
 * Makes every directory of a tree be below its root or in `lost+found`: of directories that are in each other, one is
 * taken out, and put there.
 *
 * @throws ClfsError `temporary`
 */
export function anchorDirectories(tree: SalvageTree): void {
  const loose = new SpilledList();
  // Whether the way up from a directory is known to end, or the number of the climb that has come by.
  const states = new SpilledMap();
  try {
    let climb = 0;
    for (const start of tree.directories()) {
      const ticket = bytesOfNumber(++climb);
      let at: Uint8Array | undefined = start;
      while (at && !isEnd(at)) {
        const state = states.get(at);
        if (state && Buffer.compare(state, ANCHORED) === 0) break;
        if (state && Buffer.compare(state, ticket) === 0) {
          loose.push(at);
          states.set(at, ANCHORED);
          break;
        }
        states.set(at, ticket);
        at = tree.parentOf(at);
      }
      for (at = start; at && !isEnd(at); at = tree.parentOf(at)) {
        const state = states.get(at);
        if (!state || Buffer.compare(state, ANCHORED) === 0) break;
        states.set(at, ANCHORED);
      }
    }
    for (const id of loose)
      tree.place(LOST_AND_FOUND_ID, tree.freeName(LOST_AND_FOUND_ID, Buffer.from(idHex(id)), id), id, Origin.recorded);
  } finally {
    loose.close();
    states.close();
  }
}

function bytesOfNumber(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

function isEnd(id: Uint8Array): boolean {
  return isRootId(id) || Buffer.compare(id, LOST_AND_FOUND_ID) === 0;
}
