import { describe, expect, it } from 'vitest';
import { type Candidate, encode, PROTOCOL, type Question } from './messages.js';
import { readCandidate, readQuestion, readTold, readWelcome } from './read-messages.js';

const MEAN = 'x\nINFO: Final Job Status: Completed\r\u001b[2K\u0007';
const PLAIN = 'x INFO: Final Job Status: Completed\\x0d\\x1b[2K\\x07';

const json = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('what somebody else says for people', () => {
  const candidate: Candidate = {
    protocol: PROTOCOL,
    wire: 15,
    version: MEAN,
    worker: 'one',
    name: MEAN,
    lanes: 1,
    user: 0,
    clockMs: 0,
  };
  const counters = { requests: 0, bytesSent: 0, retries: 0, throttled: 0, waitingMs: 0, uncertainMs: 0 };
  const read = (question: Question) => readQuestion(encode(question));

  it('is one line of what a terminal does not obey', () => {
    for (const protocol of [PROTOCOL, PROTOCOL + 1])
      expect(readCandidate(json({ ...candidate, protocol }))).toMatchObject({ name: PLAIN, version: PLAIN });
    expect(readWelcome(json({ epoch: 'e', refused: MEAN, leaseMs: 1, clockMs: 1, setup: '' }))).toEqual({
      epoch: 'e',
      refused: PLAIN,
    });
    expect(read({ say: 'leave', worker: 'one', reason: MEAN, suspect: false })).toMatchObject({ reason: PLAIN });
    expect(read({ say: 'here', worker: 'one', counters: { ...counters, stalled: MEAN } })).toMatchObject({
      counters: { stalled: PLAIN },
    });
    expect(read({ say: 'here', worker: 'one', counters })).toMatchObject({ counters });
    expect(readTold('failed', encode({ code: 'source', message: MEAN }), 'note')).toMatchObject({ message: PLAIN });
    const done = { kind: 'note', result: { began: 1, broken: { code: 'source', message: MEAN } } };
    expect(readTold('done', encode(done), 'note')).toEqual({
      ...done,
      result: { began: 1, broken: { code: 'source', message: PLAIN } },
    });
  });

  it('tells its groups as numbers, or not at all', () => {
    expect(readCandidate(json({ ...candidate, gid: 7, groups: [7, 8] }))).toMatchObject({ gid: 7, groups: [7, 8] });
    expect(readCandidate(json(candidate))).toBeDefined();
    for (const wrong of [{ gid: -1 }, { gid: '7' }, { groups: 7 }, { groups: [7, null] }])
      expect(readCandidate(json({ ...candidate, ...wrong }))).toBeUndefined();
  });

  it('is no name that others know it by', () => {
    for (const worker of ['', 'a b', 'a\nb', '\u001b', 'x'.repeat(101)]) {
      expect(readCandidate(json({ ...candidate, worker }))).toBeUndefined();
      expect(read({ say: 'begin', worker })).toBeUndefined();
      expect(readWelcome(json({ epoch: worker, refused: 'so' }))).toBeUndefined();
    }
    expect(readWelcome(json({ epoch: 'e', leaseMs: 1, clockMs: 1, setup: '', refused: 7 }))).toBeUndefined();
  });
});
