import { errorOf } from '../../engine/breakage.js';
import type { Work } from '../../engine/work.js';
import { FIRST_VERSION } from '../../format/names.js';
import type { LinkGroupRecord, LinkRecord } from '../../state/link-groups.js';
import { quotePath } from '../../text/escape-path.js';
import type { LinkedTask, LoadKinds } from '../../worker/tasks.js';
import type { JobContext } from '../job-context.js';
import { recordLinked } from '../record-results.js';
import { loseLinked, takeNames } from '../tries.js';
import type { LargeFilesUnderWay } from './large.js';
import { work } from './work.js';

/** Loads a linked inode whose group is claimed. @param large gets it when it turns out to be a large file */
export function linkedWork(context: JobContext, claimed: LinkGroupRecord, large: LargeFilesUnderWay): Work<LoadKinds> {
  const links = context.state.links.links(claimed.id);
  const group = takeNames(context, claimed);
  return work('linked', {
    task: linkedTask(context, group, links),
    units: 2 + links.length,
    done(result, turn) {
      large.add(recordLinked(context, group, links, result));
      if (result.outcome === 'broken') turn.stop(errorOf(result.broken));
    },
    losses: context.losses.take(`linked ${group.id}`),
    subject: () => quotePath(context.entryPath(links[0].directory, links[0].name)),
    lost(_turn, losses) {
      context.losses.set(`linked ${group.id}`, losses);
      loseLinked(context, group);
    },
  });
}

function linkedTask(context: JobContext, group: LinkGroupRecord, links: readonly LinkRecord[]): LinkedTask {
  const directories = links.map((link) => context.directory(link.directory));
  return {
    sequence: group.sequence,
    type: group.type,
    handle: context.groupHandle(group),
    backPointers: directories.map((directory) => directory.handle),
    name: links[0].name,
    version: FIRST_VERSION + group.revision,
    generation: group.revision,
    candidates: links.map(({ name, written }, index) => ({ place: directories[index].place, name, written })),
    inode: group.inode,
  };
}
