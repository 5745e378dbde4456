import type { PageModel } from './model.js';
import { pageWorkers } from './page-workers.js';

/** What there is before a job is. */
export function nothingYet(program: string, notes: readonly string[]): PageModel {
  return {
    job: {
      program,
      kind: 'load',
      title: 'A job',
      id: '',
      from: '',
      to: '',
      statePath: '',
      settings: [],
      phases: ['Init'],
      unit: 'entries',
    },
    now: {
      atMs: Date.now(),
      state: 'starting',
      finalStatus: '',
      session: 0,
      phase: 'Init',
      done: 0,
      failed: 0,
      excluded: 0,
      bytes: 0,
      further: [],
      workedMs: 0,
      requests: 0,
      retries: 0,
      throttled: 0,
      notes,
    },
    series: [],
    census: { types: [], sizes: [], directories: [] },
    failures: { groups: [], listed: 0 },
    workers: pageWorkers(),
    log: [],
  };
}
