import { describe, expect, it } from 'vitest';
import { LEASE_MS } from '../join/open-pool.js';
import { DirectoryStatus } from '../state/schema.js';
import { isCommitting, isFinished, lateUntilMs, lateWhenKilledMs, listingText } from './session-decisions.js';

describe('a session', () => {
  it.each([
    ['was committed and had no failure', true, 'Completed', true],
    ['was committed with failures', true, 'CompletedWithErrors', false],
    ['was killed after its commit', true, '', false],
    ['was stopped', false, 'Cancelled', false],
  ])('of a job that %s', (_, committed, finalStatus, expected) => {
    expect(isFinished({ committed, finalStatus })).toBe(expected);
  });

  it.each([
    ['the root is sealed', { committing: true, committed: false }, true, DirectoryStatus.written, true],
    ['a former root is sealed anew', { committing: true, committed: true }, true, DirectoryStatus.ready, true],
    ['the root is ready', { committing: true, committed: false }, false, DirectoryStatus.ready, true],
    ['the root is written', { committing: true, committed: false }, false, DirectoryStatus.written, true],
    ['the root waits again', { committing: true, committed: false }, false, DirectoryStatus.waiting, false],
    ['the commit had not begun', { committing: false, committed: false }, false, DirectoryStatus.ready, false],
    ['the commit was done', { committing: true, committed: true }, false, DirectoryStatus.written, false],
  ])('goes on with a commit or not, where %s', (_, record, isSealed, status, expected) => {
    expect(isCommitting(record, isSealed, status)).toBe(expected);
  });

  it('reckons with late puts of a process that died, and of no other', () => {
    expect(lateUntilMs({ sessions: 0, settled: false }, 235_000, 1000)).toBe(0);
    expect(lateUntilMs({ sessions: 3, settled: true, remoteLateMs: 9 }, 235_000, 1000)).toBe(0);
    expect(lateUntilMs({ sessions: 1, settled: false }, 235_000, 1000)).toBe(236_000);
    expect(lateUntilMs({ sessions: 1, settled: false, remoteLateMs: 265_000 }, 235_000, 1000)).toBe(266_000);
    expect(lateUntilMs({ sessions: 1, settled: false, remoteLateMs: 265_000 }, 0, 1000)).toBe(266_000);
  });

  it('records for how long its workers count when it is killed, and those before that did not settle', () => {
    const workers = 'nats://host:4222';
    expect(lateWhenKilledMs({ settled: true }, {}, 235_000)).toBeUndefined();
    expect(lateWhenKilledMs({ settled: true }, { workers }, 235_000)).toBe(LEASE_MS + 235_000);
    expect(lateWhenKilledMs({ settled: true, remoteLateMs: 9e6 }, { workers, leaseMs: 5000 }, 10_000)).toBe(15_000);
    expect(lateWhenKilledMs({ settled: false, remoteLateMs: 9e6 }, { workers, leaseMs: 5000 }, 10_000)).toBe(9e6);
    expect(lateWhenKilledMs({ settled: false, remoteLateMs: 265_000 }, {}, 235_000)).toBe(265_000);
  });

  it('says of the listing what is known', () => {
    expect(listingText({ committed: false, notChecked: '' })).toBeUndefined();
    expect(listingText({ committed: true, notChecked: '' })).toBe('checked');
    expect(listingText({ committed: true, notChecked: 'it was turned off' })).toBe('not checked: it was turned off');
  });
});
