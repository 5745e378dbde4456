import type { LossRecord, Work } from '../../engine/work.js';
import { quotePath } from '../../text/escape-path.js';
import type { LoadKinds } from '../../worker/tasks.js';
import { DirectoryFeeder } from '../directory-feeder.js';
import type { JobContext } from '../job-context.js';
import { recordDirectoryWritten } from '../record-results.js';
import { loseDirectory } from '../tries.js';
import { OBJECT_UNITS, work } from './work.js';

/** Writes a directory that is claimed: one task after another, each with a part of its entries. */
export function directoryWork(context: JobContext, directory: number): Work<LoadKinds> {
  const losses = context.losses.take(`directory ${directory}`);
  return nextPart(context, new DirectoryFeeder(directory), losses, undefined);
}

function nextPart(
  context: JobContext,
  feeder: DirectoryFeeder,
  losses: LossRecord | undefined,
  lane: number | undefined,
): Work<LoadKinds> {
  return work('directory', {
    task: feeder.next(context),
    units: OBJECT_UNITS,
    lane,
    done(result, turn, ranOn) {
      feeder.take(result);
      context.manifest?.append(result.manifest);
      if (feeder.complete) recordDirectoryWritten(context, feeder.directory, feeder.blocks, feeder.tally);
      else turn.give(nextPart(context, feeder, losses, ranOn));
    },
    losses,
    subject: () => quotePath(context.directory(feeder.directory).path),
    lost(_turn, lost) {
      context.losses.set(`directory ${feeder.directory}`, lost);
      loseDirectory(context, feeder.directory);
    },
  });
}
