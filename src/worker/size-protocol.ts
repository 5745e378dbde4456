import type { Geometry } from '../format/geometry.js';
import type { LoadSpec } from '../job/load-spec.js';
import type { OpenRoot } from '../source/source-tree.js';
import type { TreeSize } from './tree-count.js';

/** What a sizing thread is given: its workerData. */
export interface SizeSetup {
  readonly spec: Pick<LoadSpec, 'sourceHex' | 'selection' | 'preserveHardLinks'>;
  /** The source's root, which stays open; undefined: it is opened by its path. */
  readonly root?: OpenRoot;
  readonly geometry: Geometry;
  /** Memory of a `WaitBoard`; undefined: nobody looks. */
  readonly waits?: SharedArrayBuffer;
  /** Count what the format cannot hold too: one more system call an entry. */
  readonly unstorable?: boolean;
  /** Look closely: see `SizeOptions`. */
  readonly audit?: boolean;
}

/** What a sizing thread says: now and then how far it is, and at the end all of it. */
export type FromSizer =
  | { readonly kind: 'size'; readonly size: TreeSize; readonly complete: boolean }
  | { readonly kind: 'failed'; readonly message: string };
