import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../error.js';
import { sourcePath } from '../job/load-spec.js';
import { openPosixSource } from '../source/posix-source.js';
import { selectFrom } from '../source/selection.js';
import { WaitBoard } from '../waits/wait-board.js';
import type { FromSizer, SizeSetup } from './size-protocol.js';
import { sizeTree } from './size-tree.js';
import type { TreeSize } from './tree-count.js';

const REPORT_MS = 500;

if (!parentPort) throw new Error('This file is the entry of a worker thread.');
const port = parentPort;
const send = (message: FromSizer) => port.postMessage(message);

const { spec, root, geometry, unstorable, audit, waits } = workerData as SizeSetup;
let saidAt = performance.now();
try {
  const tree = selectFrom(openPosixSource(sourcePath(spec), root), spec.selection);
  const onProgress = (partial: TreeSize) => {
    const now = performance.now();
    if (now - saidAt < REPORT_MS) return;
    saidAt = now;
    send({ kind: 'size', size: partial, complete: false });
  };
  const { preserveHardLinks, selection } = spec;
  const size = await sizeTree(
    tree,
    { preserveHardLinks, geometry, unstorable, audit, selection },
    { onProgress, waits: new WaitBoard(waits).slot('source') },
  );
  tree.close();
  send({ kind: 'size', size, complete: true });
} catch (error) {
  send({ kind: 'failed', message: messageOf(error) });
}
