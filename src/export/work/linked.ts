import { errorOf } from '../../engine/breakage.js';
import type { Work } from '../../engine/work.js';
import { escapePath, quotePath } from '../../text/escape-path.js';
import type { ExportJobContext } from '../job-context.js';
import type { LinkGroupRecord, LinkRecord } from '../state/link-groups.js';
import { ROOT_DIRECTORY, WorkStatus } from '../state/schema.js';
import type { EntryProblem, ExportKinds, LinkedResult } from '../tasks/kinds.js';
import { work } from './work.js';

/** Holds a group back until nothing of its try can arrive any more. */
export type Hold = (group: number) => void;

/** Names that are dealt with by one task. */
const NAMES_A_TASK = 256;
/** Further names that are looked at, to see whether a file that is there has no others; more are not held in memory. */
const FURTHER_NAMES = 16_384;

/**
 * Deals with names of a file that has several, whose group is claimed. When it has none any more, its temporary file is
 * to be removed.
 *
 * @param hold given back what was lost, with how many lanes have gone with it: two lanes that link names of one file at
 *   the same time would undo what the other has done
 */
export function linkedWork(context: ExportJobContext, group: LinkGroupRecord, hold: Hold): Work<ExportKinds> {
  const { state } = context;
  const key = `linked ${group.id}`;
  const losses = context.takeLosses(key);
  const isKept = state.record.overwrite === 'if-different' && !group.origin;
  const known = state.links.links(group.id, NAMES_A_TASK + (isKept ? FURTHER_NAMES : 1));
  const links = known.slice(0, NAMES_A_TASK);
  const nameOf = ({ directory, name }: { readonly directory: number; readonly name: Uint8Array }) => ({
    ...context.place(directory),
    name,
  });
  const { origin } = group;
  // To be entered its directory may be opened up, and takes its mode again.
  if (origin && links.length > 0) state.directories.reopen(origin.directory);
  return work('linked', {
    task: {
      group: group.id,
      handle: group.handle,
      names: links.map(nameOf),
      further: isKept ? known.slice(NAMES_A_TASK).map(nameOf) : [],
      origin: origin && { ...nameOf(origin), inode: origin.inode },
      last: known.length === links.length,
      again: losses !== undefined,
    },
    units: 2 + links.length,
    done(result, turn) {
      recordLinked(context, group, links, result);
      if (result.broken) turn.stop(errorOf(result.broken));
    },
    losses,
    subject: () => (links.length === 0 ? '' : quotePath(context.entryPath(links[0].directory, links[0].name))),
    lost(_turn, more) {
      context.lost(key, more, [ROOT_DIRECTORY, ...links.map((link) => link.directory)]);
      hold(group.id);
    },
  });
}

/** The content of a group could not be written: each of its names has failed. */
export function failGroup(context: ExportJobContext, group: number, handle: Uint8Array, problem: EntryProblem): void {
  const { links } = context.state;
  for (let page = links.links(group, NAMES_A_TASK); page.length > 0; page = links.links(group, NAMES_A_TASK)) {
    for (const { id, directory, name } of page) {
      context.fail({ directory, name, handle }, problem);
      links.deleteLink(id);
    }
  }
  links.setStatus(group, WorkStatus.done);
}

function recordLinked(
  context: ExportJobContext,
  group: LinkGroupRecord,
  links: readonly LinkRecord[],
  result: LinkedResult,
): void {
  const { state } = context;
  const { id, handle } = group;
  for (const [index, outcome] of result.outcomes.entries()) {
    const { id: link, directory, name } = links[index];
    if (typeof outcome === 'string') {
      state.directories.setFilled(directory);
      state.count({ [outcome]: 1 });
      // The content counts with the first name.
      if (result.type !== undefined)
        context.census.addOne(directory, result.type, index === 0 && result.bytes > 0 ? result.bytes : undefined);
    } else context.fail({ directory, name, handle }, outcome);
    state.links.deleteLink(link);
  }
  state.count({ bytes: result.bytes });
  context.passed(result.passedBytes);
  if (result.copies.length > 0) state.update({ linkCopies: (state.record.linkCopies ?? 0) + result.copies.length });
  for (const index of result.copies)
    context.log.write(
      'INFO',
      `${escapePath(context.entryPath(links[index].directory, links[index].name))}: it could not be linked with the other names of its file, and is a copy of its own`,
    );
  if (result.originGone) state.links.setOrigin(id, undefined);
  if (result.origin) {
    const { directory, name } = links[result.origin.index];
    state.links.setOrigin(id, { directory, name, inode: result.origin.inode });
  }
  // Until its content is written the group stays claimed.
  if (result.large)
    state.large.add({ group: id, directory: ROOT_DIRECTORY, name: new Uint8Array(0), handle, ...result.large });
  else
    state.links.setStatus(
      id,
      result.broken || state.links.links(id, 1).length > 0 ? WorkStatus.pending : WorkStatus.done,
    );
}
