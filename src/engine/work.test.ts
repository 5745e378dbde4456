import { describe, expect, it } from 'vitest';
import type { Kind } from './kinds.js';
import { BLAMED, type Blame, NOT_BLAMED } from './runner.js';
import { type LossRecord, type Turn, workOf } from './work.js';

interface TestKinds {
  readonly count: Kind<number, string, number>;
  readonly note: Kind<string, string, number>;
}

const work = workOf<TestKinds>();

/** A turn that takes down what is given. */
function turn(): Turn<TestKinds> & { readonly given: unknown[] } {
  const given: unknown[] = [];
  return { room: 1, lanes: 1, given, give: (each) => void given.push(each), stop: () => undefined };
}

describe('a piece of work', () => {
  it('has its task with the name of its kind, and is told what comes of it', () => {
    const told: unknown[] = [];
    const piece = work('count', {
      task: 5,
      units: 7,
      lane: 2,
      part: (part) => void told.push(part),
      done: (result, _turn, lane) => void told.push(result, lane),
    });
    expect(piece).toMatchObject({ message: { kind: 'count', task: 5 }, units: 7, lane: 2 });
    piece.part({ kind: 'count', part: 1 }, turn());
    piece.done({ kind: 'count', result: 'five' }, turn(), 3);
    expect(told).toEqual([1, 'five', 3]);
  });

  it('that takes no parts lets them go', () => {
    const piece = work('count', { task: 5, units: 1, done: () => undefined });
    expect(() => piece.part({ kind: 'count', part: 1 }, turn())).not.toThrow();
  });

  it('takes no part and no result of another kind', () => {
    const piece = work('count', { task: 5, units: 1, part: () => undefined, done: () => undefined });
    const message = 'A task of kind count was answered as one of kind note.';
    expect(() => piece.part({ kind: 'note', part: 1 }, turn())).toThrow(message);
    expect(() => piece.done({ kind: 'note', result: '' }, turn(), 0)).toThrow(message);
  });

  it('that is lost is given again as it is, unless it says otherwise', () => {
    const [plain, own] = [turn(), turn()];
    const piece = work('count', { task: 5, units: 1, done: () => undefined });
    piece.lost(plain, NOT_BLAMED);
    expect(plain.given).toEqual([piece]);
    let lost = 0;
    work('count', { task: 5, units: 1, done: () => undefined, lost: () => void lost++ }).lost(own, NOT_BLAMED);
    expect([lost, own.given]).toEqual([1, []]);
  });

  it('that ends on a dozen machines by what each may have of itself ends the job, with the reason of the last', () => {
    const piece = work('count', { task: 5, units: 1, done: () => undefined });
    const stopped: unknown[] = [];
    const one = { ...turn(), stop: (reason: unknown) => void stopped.push(reason) };
    const alone: boolean[] = [];
    for (let machine = 1; machine <= 12; machine++) {
      expect(stopped).toEqual([]);
      alone.push(piece.alone);
      piece.lost(one, { share: 0.25, broken: { code: 'service-unavailable', message: `host/${machine}: no answer` } });
    }
    expect(stopped).toMatchObject([{ code: 'service-unavailable', message: 'host/12: no answer' }]);
    expect(one.given).toHaveLength(11);
    expect(alone).toEqual(Array.from({ length: 12 }, (_, at) => at >= 8));
  });

  it('ends the job with what has ended it before for another reason, too, also where it was offered as other work', () => {
    const ends = (last: Blame) => {
      const stopped: unknown[] = [];
      const one = { ...turn(), stop: (reason: unknown) => void stopped.push(reason) };
      let losses: LossRecord | undefined;
      const lose = (blame: Blame) =>
        work('count', {
          task: 5,
          units: 1,
          losses,
          done: () => undefined,
          lost(_turn, more) {
            losses = more;
          },
        }).lost(one, blame);
      lose({ share: 0.5, broken: { code: 'source', message: 'host/1: its mount is gone.' } });
      lose({ share: 1, broken: { code: 'open-files', message: 'host/2: no descriptors.' } });
      lose({ share: 0.5, broken: { code: 'source', message: 'host/3: its mount is gone.' } });
      expect(stopped).toEqual([]);
      lose(last);
      return stopped;
    };
    expect(ends({ share: 1, broken: { code: 'service', message: 'host/4: refused.' } })).toMatchObject([
      { code: 'service', message: 'host/4: refused. Before that: host/2: no descriptors; host/3: its mount is gone.' },
    ]);
    expect(ends(BLAMED)).toMatchObject([
      {
        code: 'worker',
        message: expect.stringMatching(
          / have gone .* Before that: host\/2: no descriptors; host\/3: its mount is gone\.$/,
        ),
      },
    ]);
  });
});
