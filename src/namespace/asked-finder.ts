import type { MessagePort } from 'node:worker_threads';
import { SpilledSet } from '../spill/spilled-set.js';
import type { ObjectBlob } from './object-blob.js';
import type { ObjectFinder } from './object-finder.js';

/** Ids that one question has, at most. */
const IDS_A_QUESTION = 256;
/** Longest id that there is. */
const ID_BYTES = 24;

/** What is asked for: objects by their ids. Plain data. */
interface FindQuestion {
  readonly find: readonly Uint8Array[];
}

/** What was found, in the order of the ids. */
export type FindAnswer = readonly (ObjectBlob | undefined)[];

interface Waiting {
  readonly id: Uint8Array;
  found(blob: ObjectBlob | undefined): void;
}

/**
 * Finds objects by asking whoever has the listing of the container. What is looked for at the same time is asked for
 * together.
 *
 * @param port takes {@link FindQuestion}s, and gives a {@link FindAnswer} for each, in their order
 */
export function createAskedFinder(port: MessagePort): ObjectFinder {
  const asked: (readonly Waiting[])[] = [];
  let waiting: Waiting[] = [];
  const ask = () => {
    const next = waiting;
    waiting = [];
    if (next.length === 0) return;
    asked.push(next);
    port.postMessage({ find: next.map(({ id }) => id) } satisfies FindQuestion);
  };
  port.on('message', (answer: FindAnswer) => {
    for (const [at, { found }] of (asked.shift() ?? []).entries()) found(blobOf(answer[at]));
  });
  // A lane that waits for answers has something else that keeps it going.
  port.unref();
  return {
    find(id) {
      // What is damaged may refer to anything: no object has such an id, and no question with it is answered.
      if (!isId(id)) return Promise.resolve(undefined);
      return new Promise((found) => {
        if (waiting.length === 0) setImmediate(ask);
        waiting.push({ id: Buffer.from(id), found });
        if (waiting.length === IDS_A_QUESTION) ask();
      });
    },
    idSet: () => new SpilledSet(),
  };
}

/** Answers a {@link FindQuestion} that somebody else has sent. @returns undefined when it is none */
export async function answerFind(finder: ObjectFinder, question: unknown): Promise<FindAnswer | undefined> {
  const ids = (question as Partial<FindQuestion> | undefined)?.find;
  const isGood = Array.isArray(ids) && ids.length <= IDS_A_QUESTION && ids.every(isId);
  if (!isGood) return undefined;
  return Promise.all(ids.map(async (id) => plain(await finder.find(id))));
}

function isId(id: unknown): boolean {
  return id instanceof Uint8Array && id.length <= ID_BYTES;
}

/** Of a blob as plain data: some find out what they are asked for. */
function plain(blob: ObjectBlob | undefined): ObjectBlob | undefined {
  if (!blob) return undefined;
  const { name, sizeBytes, key } = blob;
  const { nameVersion, id, type, ownerHash, version } = key;
  return { name, sizeBytes, key: { nameVersion, id, type, ownerHash, version } };
}

/** What came from another thread has no buffers. */
function blobOf(blob: ObjectBlob | undefined): ObjectBlob | undefined {
  return blob && { ...blob, key: { ...blob.key, id: Buffer.from(blob.key.id) } };
}
