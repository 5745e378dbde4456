import { ObjectType } from '../format/ids.js';
import type { ObjectBlob } from './object-blob.js';
import type { ObjectIndex } from './object-index.js';
import type { Pace } from './pace.js';

/** What a listing tells of a tree before it is read. */
export interface Listed {
  /** About as many as there are entries: a file with several names has one. */
  readonly inodes: number;
  /**
   * Bytes as they are stored of what holds the content of files: inodes of regular files, and segments, those of
   * directories among them, which a listing does not tell apart.
   */
  readonly contentBytes: number;
}

/** Counts what a listing has. */
export async function countListed(index: Pick<ObjectIndex, 'all'>, pace: Pick<Pace, 'pause'>): Promise<Listed> {
  const counter = new ListedCounter();
  for await (const page of index.all()) {
    counter.add(page);
    await pace.pause();
  }
  return counter;
}

/** Counts what a listing has, page by page. */
export class ListedCounter implements Listed {
  inodes = 0;
  contentBytes = 0;

  add(page: readonly ObjectBlob[]): void {
    for (const { key, sizeBytes } of page) {
      if (isInode(key.type)) this.inodes++;
      if (key.type === ObjectType.regular || key.type === ObjectType.segment) this.contentBytes += sizeBytes;
    }
  }
}

/** Whether an object of this type is an inode, and so an entry of a tree. */
export function isInode(type: number): boolean {
  return type >= ObjectType.regular && type <= ObjectType.fifo;
}
