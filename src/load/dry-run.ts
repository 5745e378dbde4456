import { resolve } from 'node:path';
import { GEOMETRY } from '../format/geometry.js';
import { openSource } from '../source/posix-source.js';
import { EVERYTHING, type Selection } from '../source/selection.js';
import type { SourceTree } from '../source/source-tree.js';
import { systemClock } from '../time/clock.js';
import { JobWaits } from '../waits/job-waits.js';
import { WaitBoard } from '../waits/wait-board.js';
import { unlessStopped } from '../waits/waits.js';
import { type SizerThread, startSizer } from '../worker/sizer-thread.js';
import type { TreeSize } from '../worker/tree-count.js';

/** Requests of a load beside one PUT an object: the bucket object twice, and the log. */
const FURTHER_PUTS = 3;
/** Bytes on the wire of an object beside the file data in it: the request's head and the object's own. */
const BYTES_AN_OBJECT = 1000;

/** What to size. */
export interface DryRunOptions {
  readonly source: string | Uint8Array;
  readonly preserveHardLinks?: boolean;
  readonly selection?: Selection;
  readonly signal?: AbortSignal;
  /**
   * After how long a call of the source that is not answered is spoken of, in milliseconds; by `onMessage`. Default
   * 60,000.
   */
  readonly stallWarningMs?: number;
  /** Told, in whole sentences, of what the user should know. */
  readonly onMessage?: (text: string) => void;
  /** Called now and then with what has been found so far. */
  readonly onSize?: (size: TreeSize) => void;
}

/** What a load would do. */
export interface DryRun extends TreeSize {
  /** PUT requests, those repeated not counted. */
  readonly puts: number;
  /** Bytes that go over the wire when nothing can be compressed. */
  readonly bytesOnWire: number;
}

/**
 * Sizes a load without doing it: nothing is written, no container is asked.
 *
 * @throws ClfsError `source`; `cancelled`
 */
export async function dryRun(options: DryRunOptions): Promise<DryRun> {
  const source = typeof options.source === 'string' ? Buffer.from(resolve(options.source)) : options.source;
  const { signal, onSize } = options;
  const { selection = EVERYTHING, preserveHardLinks = false } = options;
  const stop = signal ?? new AbortController().signal;
  const waits = new JobWaits(systemClock, stop, (text) => options.onMessage?.(text), options.stallWarningMs);
  let tree: SourceTree | undefined;
  let sizer: SizerThread | undefined;
  try {
    const late = (tree: SourceTree) => tree.close();
    tree = await waits.of('source').during(source, () => openSource(source), late);
    const { root } = tree;
    const spec = { sourceHex: Buffer.from(source).toString('hex'), selection, preserveHardLinks };
    const board = waits.stalls.add(new WaitBoard());
    const setup = { spec, root, geometry: GEOMETRY, waits: board.memory, unstorable: true, audit: true };
    const thread = startSizer(setup, (size) => onSize?.(size));
    sizer = thread;
    const size = await unlessStopped(stop, () => thread.done);
    return { ...size, puts: size.objects + FURTHER_PUTS, bytesOnWire: size.bytes + size.objects * BYTES_AN_OBJECT };
  } finally {
    waits.close();
    await sizer?.stop();
    tree?.close();
  }
}
