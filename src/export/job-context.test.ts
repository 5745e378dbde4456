import { expect, it } from 'vitest';
import { GEOMETRY } from '../format/geometry.js';
import type { JobLog } from '../log/job-log.js';
import { systemClock } from '../time/clock.js';
import { ExportJobContext } from './job-context.js';
import type { ExportRecord } from './state/export-record.js';
import { ExportState } from './state/export-state.js';
import { ROOT_DIRECTORY } from './state/schema.js';
import type { ExportConstants } from './tasks/kinds.js';

const DEPTH = 2000;

it('finds the path of each directory of a deep tree, and looks each up few times', () => {
  const state = ExportState.create(':memory:', { sessions: 1 } as ExportRecord, 'DELETE', {}, ({ directories }) =>
    directories.addRoot(Buffer.alloc(16), false),
  );
  try {
    const { directories } = state;
    const ids = [ROOT_DIRECTORY];
    const names: string[] = [];
    state.transact(() => {
      directories.claim(1);
      for (let depth = 0; depth < DEPTH; depth++) {
        const handle = Buffer.alloc(16);
        handle.writeUInt32BE(depth + 1);
        names.push(`directory ${depth}`);
        directories.found(ids[depth], Buffer.from(names[depth]), handle);
        ids.push(directories.claim(1)[0].id);
      }
    });
    const newContext = () =>
      new ExportJobContext({
        state,
        constants: { geometry: GEOMETRY } as ExportConstants,
        log: { write: () => undefined } as unknown as JobLog,
        clock: systemClock,
        total: undefined,
        contentTotal: undefined,
        onFailure: () => undefined,
      });
    let looks = 0;
    const { get } = directories;
    directories.get = (id) => {
      looks++;
      return get.call(directories, id);
    };
    for (const order of [ids, [...ids].reverse()]) {
      const context = newContext();
      for (const id of order) {
        const { path, filled } = context.place(id);
        expect(filled).toBe(0);
        expect(Buffer.from(path).equals(Buffer.from(names.slice(0, ids.indexOf(id)).join('/')))).toBe(true);
      }
    }
    expect(looks).toBeLessThan(10 * DEPTH);
  } finally {
    state.close();
  }
});
