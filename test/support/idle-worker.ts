import { BitSet } from '../../src/books/bit-set.js';
import { EntryCounter } from '../../src/books/entry-counts.js';
import { Tally } from '../../src/books/tally.js';
import { Lease } from '../../src/container/lease.js';
import { MemoryContainer } from '../../src/container/memory-container.js';
import type { Runner, RunnerEvents } from '../../src/engine/runner.js';
import { ObjectType } from '../../src/format/ids.js';
import { packAttributes } from '../../src/format/packed-attributes.js';
import { sourcePath } from '../../src/job/load-spec.js';
import { serveJobs } from '../../src/join/serve-jobs.js';
import type { RemoteLoadSetup } from '../../src/load/load-kind.js';
import { openLz4 } from '../../src/lz4/lz4.js';
import { natsOptions } from '../../src/remote/nats-options.js';
import { openNatsWorker } from '../../src/remote/nats-worker.js';
import { openPosixSource } from '../../src/source/posix-source.js';
import { systemClock } from '../../src/time/clock.js';
import { createContext } from '../../src/worker/context.js';
import { toAttributes } from '../../src/worker/file-attributes.js';
import { CHUNK_ENTRIES, EntryPacker } from '../../src/worker/packed-entries.js';
import type { FilesResult, ListPart, LoadKinds } from '../../src/worker/tasks.js';
import { writeDirectory } from '../../src/worker/write-directory.js';

/*
 * A worker that answers at once and does nothing: what a driver, its state and the server cost is all there is. It tells
 * of a root with so many directories of so many files, whatever the source is.
 *
 * Arguments: server, directories, files in each.
 */

const LANES = 8;
const [, , url, directories, files] = process.argv;
const signal = new AbortController();
process.on('SIGTERM', () => signal.abort());
const patience = { signal: signal.signal, report: console.log };
const link = await openNatsWorker(natsOptions(url), 'idle worker', patience);
console.log('Idle worker: waiting for a job.');
if (link)
  await serveJobs<LoadKinds>({
    link,
    clock: systemClock,
    name: `idle/${process.pid}`,
    threads: LANES,
    signal: signal.signal,
    report: console.log,
    async openLanes(setup) {
      return {
        lease: new Lease(LANES),
        runner: idleRunner(setup as RemoteLoadSetup),
        counters: () => ({ requests: 0, bytesSent: 0, retries: 0, throttled: 0, waitingMs: 0, uncertainMs: 0 }),
        setCap: () => undefined,
        stuck: () => undefined,
        answerBy: () => undefined,
        close: async () => undefined,
      };
    },
  });
process.exit();

function idleRunner(setup: RemoteLoadSetup): Runner<LoadKinds> {
  const answer = answersOf(setup);
  let events: RunnerEvents<LoadKinds> | undefined;
  return {
    lanes: LANES,
    start(told) {
      events = told;
    },
    submit(_lane, ticket, message) {
      setImmediate(() => {
        const told = answer(message, (part) => events?.part(ticket, { kind: 'list', part }));
        told.then(
          (result) => events?.done(ticket, result),
          (error: unknown) => events?.failed(error, ticket),
        );
      });
    },
    stop: () => undefined,
    abandon: () => undefined,
    close: async () => undefined,
  };
}

type Message = Parameters<Runner<LoadKinds>['submit']>[2];
type Result = Parameters<RunnerEvents<LoadKinds>['done']>[1];

function answersOf(setup: RemoteLoadSetup): (message: Message, tell: (part: ListPart) => void) => Promise<Result> {
  const { constants } = setup;
  const source = openPosixSource(sourcePath(constants.spec));
  const found = source.openDirectory(Buffer.alloc(0)).attributes();
  const attributes = packAttributes(toAttributes(found, constants, 0, 0));
  const { device } = setup.source;
  const listed = { attributes, device, bornNs: 0n, clampedTimes: false, failure: undefined };
  const nothing = { restart: false, excluded: 0, unstorable: undefined, links: [], failures: [] };
  const root: ListPart = {
    ...nothing,
    chunks: [],
    directories: Array.from({ length: Number(directories) }, (_, at) => ({
      name: Buffer.from(`directory-${at}`),
      device,
      inode: BigInt(at + 1_000_000),
      bornNs: 0n,
    })),
  };
  const below: ListPart = { ...nothing, chunks: chunksOf(Number(files)), directories: [] };
  const chunks = new Map<number, FilesResult>();
  const resultOf = (count: number): FilesResult => {
    const acknowledged = new BitSet(count);
    const tally = new Tally();
    const counter = new EntryCounter();
    for (let at = 0; at < count; at++) {
      acknowledged.add(at);
      tally.add(ObjectType.regular, 'x', 1);
      counter.add(ObjectType.regular, 1);
    }
    const told = {
      acknowledged: acknowledged.bytes,
      done: count,
      bytes: count,
      tally: tally.encode(),
      manifest: [],
      counts: counter.plain(),
    };
    return { ...told, failures: [], large: [], warnings: [], begun: count, broken: undefined };
  };
  const secret = Buffer.from(constants.secret);
  const context = createContext({ ...constants, secret }, source, new MemoryContainer(), openLz4(), 1);
  return async (message, tell) => {
    switch (message.kind) {
      case 'list':
        tell(message.task.place.path.length === 0 ? root : below);
        return { kind: 'list', result: listed };
      case 'files': {
        const { count } = message.task;
        const result = chunks.get(count) ?? resultOf(count);
        chunks.set(count, result);
        return { kind: 'files', result };
      }
      case 'directory': {
        // Only the root's inode counts: the driver puts it.
        const isRoot = message.task.extendedAttributes !== undefined;
        const fill = message.task.from;
        const result = isRoot
          ? await writeDirectory(message.task, context)
          : { fill, manifest: [], tally: new Tally().encode(), inode: undefined };
        return { kind: 'directory', result };
      }
      default:
        throw new Error(`An idle worker does not do tasks of kind ${message.kind}.`);
    }
  };
}

function chunksOf(count: number): ListPart['chunks'] {
  const chunks: { count: number; entries: Uint8Array }[] = [];
  const packer = new EntryPacker();
  for (let at = 0; at < count; at++) {
    packer.add(ObjectType.regular, Buffer.from(`file-${at}`));
    if (packer.count === CHUNK_ENTRIES || at === count - 1) chunks.push(packer.take());
  }
  return chunks;
}
