import { describe, expect, it } from 'vitest';
import { SourceGauge } from '../source/source-gauge.js';
import { WaitBoard } from '../waits/wait-board.js';
import { StuckSource } from './stuck-source.js';

function setUp() {
  let ms = 5000;
  const gauge = new SourceGauge(3);
  const clock = {
    now: () => ms,
    monotonic: () => ms,
    sleep: async () => undefined,
    after: () => ({ cancel: () => undefined }),
  };
  const boards = [new WaitBoard(), new WaitBoard()];
  const stuck = new StuckSource(gauge, boards, clock);
  return {
    lane: gauge.slot(1),
    waits: boards[1].slot('source'),
    stuck,
    now: () => ms,
    pass: (more: number) => (ms += more),
  };
}

describe('a source that does not answer one machine', () => {
  it('is found by a call that leaves its thread free and is not answered', () => {
    const { waits, stuck, pass, now } = setUp();
    const tell = () => waits.tell({ sinceMs: now(), directory: Buffer.from('dir'), name: Buffer.from('file') });
    tell();
    pass(119_000);
    expect(stuck.look()).toBeUndefined();
    pass(1000);
    expect(stuck.look()).toBe('the source has not answered for 120 s: dir/file');
    tell();
    pass(1000);
    expect(stuck.look()).toBeUndefined();
  });

  it('is found by a call that holds up its thread, and not by many that do', () => {
    const { waits, stuck, pass } = setUp();
    for (let calls = 0; calls < 200; calls++) {
      waits.blocks(Buffer.from('dir'), Buffer.from(`file ${calls}`));
      pass(1000);
      expect(stuck.look()).toBeUndefined();
    }
    pass(120_000);
    expect(stuck.look()).toMatch(/^the source has not answered for 12\d s: dir\/file 199$/);
    waits.unblocks();
    pass(1000);
    expect(stuck.look()).toBeUndefined();
  });

  it('is found by what a lane holds back since nothing can be read', () => {
    const { lane, stuck, pass, now } = setUp();
    lane.set('awaySince', now());
    pass(60_000);
    expect(stuck.look()).toBeUndefined();
    pass(60_000);
    expect(stuck.look()).toBe('the source, or a file system that is mounted in it, could not be read for 120 s');
  });
});
