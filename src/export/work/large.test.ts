import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Turn, Work } from '../../engine/work.js';
import { GEOMETRY } from '../../format/geometry.js';
import type { JobLog } from '../../log/job-log.js';
import { systemClock } from '../../time/clock.js';
import { ExportJobContext } from '../job-context.js';
import type { ExportRecord } from '../state/export-record.js';
import { ExportState } from '../state/export-state.js';
import { ROOT_DIRECTORY } from '../state/schema.js';
import type { ExportConstants, ExportKinds, RangeTask } from '../tasks/kinds.js';
import { LargeFilesUnderWay } from './large.js';

const BLOCKS = 23;
const SIZE = GEOMETRY.firstSegmentBytes + (BLOCKS - 2) * GEOMETRY.fileSegmentBytes + 5;
const INODE = 7n;
const GONE = { share: 0, broken: undefined };

let state: ExportState;
let large: LargeFilesUnderWay;
let running: Work<ExportKinds>[];

beforeEach(() => {
  const record = { sessions: 1 } as ExportRecord;
  state = ExportState.create(':memory:', record, 'DELETE', {}, ({ directories, large: files }) => {
    directories.addRoot(Buffer.alloc(16), false);
    files.add({
      group: undefined,
      directory: ROOT_DIRECTORY,
      name: Buffer.from('large'),
      handle: Buffer.alloc(16, 1),
      sizeBytes: SIZE,
      blocks: BLOCKS,
    });
  });
  const context = new ExportJobContext({
    state,
    constants: { geometry: GEOMETRY, temporaryPrefix: '.test-' } as ExportConstants,
    log: { write: () => undefined } as unknown as JobLog,
    clock: systemClock,
    total: undefined,
    contentTotal: undefined,
    onFailure: () => undefined,
  });
  large = new LargeFilesUnderWay(context);
  running = [];
});
afterEach(() => state.close());

/** One turn: what has come, and then what is given while there is room for so many tasks. */
function turn(room: number, come: (turn: Turn<ExportKinds>) => void = () => undefined): void {
  const given: Work<ExportKinds>[] = [];
  const one: Turn<ExportKinds> = {
    get room() {
      return room - given.length;
    },
    lanes: 2,
    give: (work) => given.push(work),
    stop: (reason) => expect.fail(String(reason)),
  };
  state.transact(() => {
    come(one);
    large.next(one);
  });
  running.push(...given);
}

const kinds = () => running.map(({ message }) => message.kind);
const rangeOf = ({ message }: Work<ExportKinds>) => message.task as RangeTask;
const blocksOf = ({ first, end }: RangeTask) => Array.from({ length: end - first }, (_, at) => first + at);

/** Takes a task of those that run. */
function take(at: number): Work<ExportKinds> {
  const [work] = running.splice(at, 1);
  return work;
}

function begun(room: number): void {
  turn(room);
  expect(kinds()).toEqual(['beginLarge']);
  const begin = take(0);
  turn(room, (one) => begin.done({ kind: 'beginLarge', result: { outcome: 'begun', inode: INODE } }, one, 0));
}

/** Tells how far a range has come, and whether that was its end. */
function tell(work: Work<ExportKinds>, one: Turn<ExportKinds>, end: number, isEnd: boolean): void {
  if (isEnd) work.done({ kind: 'range', result: { end, problem: undefined, broken: undefined } }, one, 0);
  else work.part({ kind: 'range', part: { end } }, one);
}

describe('a large file of an export', () => {
  it('has a part that was lost given again, and no other', () => {
    begun(3);
    expect(running.map(rangeOf)).toMatchObject([
      { first: 0, end: 4 },
      { first: 4, end: 8 },
      { first: 8, end: 12 },
    ]);
    const lost = take(0);
    turn(1, (one) => {
      tell(lost, one, 1, false);
      lost.lost(one, GONE);
    });
    expect(running.map(rangeOf)).toMatchObject([
      { first: 4, end: 8 },
      { first: 8, end: 12 },
      { first: 1, end: 4 },
    ]);
  });

  it('is written once, whatever is lost, and its bytes are counted once', () => {
    let seed = 12345;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return Math.floor((seed / 2147483648) * below);
    };
    begun(random(6));
    const written = new Set<number>();
    const bytesOf = (block: number) => {
      if (block === 0) return GEOMETRY.firstSegmentBytes;
      return block === BLOCKS - 1 ? 5 : GEOMETRY.fileSegmentBytes;
    };
    for (let steps = 0; written.size < BLOCKS; steps++) {
      expect(steps).toBeLessThan(2000);
      if (running.length === 0) {
        turn(1 + random(6));
        continue;
      }
      const work = take(random(running.length));
      const { first, end } = rangeOf(work);
      const isEnd = random(3) === 0;
      const reached = isEnd ? end : first + random(end - first + 1);
      for (let block = first; block < reached; block++) written.add(block);
      turn(random(4), (one) => {
        tell(work, one, reached, isEnd);
        if (!isEnd) work.lost(one, GONE);
      });
      const [under] = state.large.list(0, 1);
      const done = under.done.flatMap(([from, to]) => blocksOf({ first: from, end: to } as RangeTask));
      expect(done).toEqual([...written].sort((a, b) => a - b));
      const atWork = running
        .filter(({ message }) => message.kind === 'range')
        .flatMap((each) => blocksOf(rangeOf(each)));
      expect(new Set(atWork).size, 'nothing is written twice at once').toBe(atWork.length);
      expect(
        atWork.filter((block) => written.has(block)),
        'what is written is not written again',
      ).toEqual([]);
      expect(state.counters.bytes).toBe([...written].reduce((sum, block) => sum + bytesOf(block), 0));
    }
    expect(state.counters.bytes).toBe(SIZE);
    turn(1);
    expect(kinds()).toEqual(['endLarge']);
  });
});
