import { ObjectType } from '../format/ids.js';
import type { ObjectIndex } from './object-index.js';
import type { Pace } from './pace.js';

/** Inodes that a listing has: about as many as there are entries. */
export async function countInodes(index: Pick<ObjectIndex, 'all'>, pace: Pick<Pace, 'pause'>): Promise<number> {
  let inodes = 0;
  for await (const page of index.all()) {
    for (const { key } of page) if (key.type >= ObjectType.regular && key.type <= ObjectType.fifo) inodes++;
    await pace.pause();
  }
  return inodes;
}
