import { basename } from 'node:path';
import type { Traffic } from '../container/traffic.js';
import { sourcePath } from '../job/load-spec.js';
import { ROOT_DIRECTORY } from '../state/directories.js';
import { DirectoryStatus } from '../state/schema.js';
import { encoderOf } from '../worker/encoder.js';
import { NOTHING_UNSTORABLE } from '../worker/unstorable-count.js';
import { bindFileSystems } from './bind-file-systems.js';
import { cleanUp } from './clean-up.js';
import { commit } from './commit.js';
import type { EndTools } from './end-tools.js';
import { LeftoverGuard } from './guard.js';
import type { JobContext } from './job-context.js';
import { lookAtSource } from './look-at-source.js';
import { giveUpMoved } from './moved-directories.js';
import type { OpenJob } from './open-job.js';
import type { Progress } from './progress.js';
import { placeWithMounts, reachMounts } from './recorded-mounts.js';
import { restoreEntries } from './restore-entries.js';
import { retryFailures } from './retry-failures.js';
import { isCommitting, lateWhenKilledMs } from './session-decisions.js';
import { requireSameRoot } from './source-proof.js';
import { giveUpLostTries } from './tries.js';

/** What the beginning of a session needs beside the state. */
export interface SessionBegin {
  readonly job: OpenJob;
  readonly traffic: Traffic;
  /** Where the progress reads what is recorded. */
  readonly recorded: Parameters<Progress['begin']>[0];
  report(text: string): void;
}

/** Brings the state to where a session begins: the root is to be listed, or what the sessions before left is taken up. */
export async function prepareSession(context: JobContext, tools: EndTools, begin: SessionBegin): Promise<void> {
  const { job, traffic, recorded, report } = begin;
  const { state } = job;
  const { progress } = context;
  const { device, inode, bornNs } = await lookAtSource(tools, Buffer.alloc(0));
  if (state.record.sessions === 0) {
    state.transact(() => {
      recordSession(context, tools, job);
      state.update({ sourcePlace: tools.work.source.place?.() });
      const name = rootName(sourcePath(job.spec));
      const fileSystem = state.fileSystemOf(device);
      const status = DirectoryStatus.found;
      state.directories.add({ parent: 0, name, fileSystem, inode, bornNs, sequence: 0, manager: 0, status });
    });
    progress.listedUnstorable = NOTHING_UNSTORABLE;
    progress.begin(recorded, 0, 1, traffic);
    return;
  }
  state.transact(() => {
    const { encoder } = state.record;
    recordSession(context, tools, job);
    giveUpLostTries(context, state.record.encoder === encoder);
  });
  await reachMounts(context, tools);
  await recordPlace(context, tools);
  await bindFileSystems(context, tools, device);
  await tools.work.container.tidy();
  // An end that had begun is brought to its end before anything is repaired: the root may be there already.
  if (isCommitting(state.record, state.rootSeals.get() !== undefined, rootStatusOf(context))) {
    await cleanUp(context, tools);
    await commit(context, tools);
  }
  const retried = await repair(context, tools);
  if (retried > 0) report(`Trying ${retried} failed ${retried === 1 ? 'entry' : 'entries'} again.`);
  progress.begin(recorded, 0, state.openEntries() + retried, traffic);
}

/** Records that a session begins, and by what it encodes; inside a transaction. */
function recordSession(context: JobContext, { lz4 }: EndTools, job: OpenJob): void {
  const { state, spec, settings, resources } = job;
  const { done, bytes } = state.counters;
  const { record } = state;
  state.update({
    sessions: record.sessions + 1,
    sessionStart: { ms: context.clock.now(), done, bytes },
    finalStatus: '',
    settled: false,
    remoteLateMs: lateWhenKilledMs(record, settings, resources.remoteLateArrivalMs),
    encoder: encoderOf(spec, lz4),
    spec,
    settings,
  });
}

/** What was mounted while a session ran that had no end is part of the source. */
async function recordPlace(context: JobContext, tools: EndTools): Promise<void> {
  const { state } = context;
  const sourcePlace = await placeWithMounts(context, tools);
  if (sourcePlace !== state.record.sourcePlace) state.transact(() => state.update({ sourcePlace }));
}

/** Takes up what failed in sessions before. @returns how many entries are to be tried again */
async function repair(context: JobContext, tools: EndTools): Promise<number> {
  const { state } = context;
  // Nothing of another tree is loaded as this one.
  if (rootStatusOf(context) !== DirectoryStatus.written || state.failures.count() > 0) requireSameRoot(context);
  if (!state.record.books) await restoreEntries(context, new LeftoverGuard(context, tools));
  const givenUp = await giveUpMoved(context, tools);
  const sourcePlace = await placeWithMounts(context, tools);
  return state.transact(() => {
    state.update({ sourcePlace });
    if (givenUp) {
      // What is listed anew has been counted by nobody.
      state.update({ unheld: undefined });
      const { done, bytes } = state.counters;
      state.update({ sessionStart: { ...state.record.sessionStart, done, bytes } });
      // What waited for it need not any more.
      state.directoryLife.recount();
    }
    const count = retryFailures(state);
    if (count > 0) state.update({ repaired: true });
    return count;
  });
}

function rootStatusOf({ state }: JobContext): number {
  return state.directories.get(ROOT_DIRECTORY).status;
}

function rootName(source: Buffer): Buffer {
  return Buffer.from(basename(source.toString('latin1')), 'latin1');
}
