import { Tally } from '../books/tally.js';
import { ObjectType } from '../format/ids.js';
import { encodeInode, type Inode } from '../format/inode.js';
import type { LinkGroupRecord, LinkRecord, WrittenGroup } from '../state/link-groups.js';
import { WorkStatus } from '../state/schema.js';
import { type EndTools, requireGoOn } from './end-tools.js';
import type { JobContext } from './job-context.js';
import { readStoredInode } from './stored-objects.js';
import { supersedeLinked, supersedeLinkedInode, takeNames } from './tries.js';

const GROUPS_AT_ONCE = 256;

/**
 * Rids linked inodes of the back pointers of dropped names.
 *
 * The inode is put again from what the container has, as its next version over the same blocks: what counts of a file
 * stays, also when the source has no more of it. One of which no name is left that it was written with counts no more;
 * other names of it are loaded anew.
 *
 * @returns whether there were any
 */
export async function relinkGroups(context: JobContext, tools: EndTools): Promise<boolean> {
  const { state } = context;
  for (let after = 0; ; ) {
    const groups = state.droppedLinks.groups(after, GROUPS_AT_ONCE);
    if (groups.length === 0) return after > 0;
    for (const id of groups) {
      requireGoOn(tools.signal);
      const group = state.links.get(id);
      const { written } = group;
      if (!written)
        throw new Error(`Linked inode ${id} has lost a name that it was written with, and was never written.`);
      const stored = await readStoredInode(context, tools, context.writtenName(group, written));
      const names = state.links.links(id);
      const anyLeft = names.some((link) => link.written);
      if (anyLeft && stored) await relink(context, tools, group, written, stored, names);
      // Version 0.1.0 kept no books: it cannot be told what is missing.
      else if (anyLeft) state.transact(() => state.droppedLinks.forget(id));
      else giveUpLinked(context, group, names, stored);
    }
    after = groups[groups.length - 1];
  }
}

function giveUpLinked(
  context: JobContext,
  group: LinkGroupRecord,
  names: readonly LinkRecord[],
  stored: Inode | undefined,
): void {
  const { state } = context;
  const { type, lengthBytes } = stored?.attributes ?? { type: group.type, lengthBytes: 0n };
  state.transact(() => {
    supersedeLinked(context, group);
    state.count(-1, type === ObjectType.regular ? -Number(lengthBytes) : 0);
    state.droppedLinks.unwrite(group.id);
    if (names.length === 0) state.links.delete(group.id);
  });
}

async function relink(
  context: JobContext,
  tools: EndTools,
  before: LinkGroupRecord,
  written: WrittenGroup,
  stored: Inode,
  names: readonly LinkRecord[],
): Promise<void> {
  const { state } = context;
  const left = names.filter((link) => link.written);
  const group = state.transact(() => {
    state.droppedLinks.claim(before.id);
    return takeNames(context, before);
  });
  const name = context.groupName(group);
  const body = encodeInode({
    ...stored,
    attributes: { ...stored.attributes, linkCount: left.length },
    backPointers: left.map((link) => context.directory(link.directory).handle),
    name: left[0].name,
  });
  const newBytes = await tools.work.writer.putBody(name, body);
  await tools.work.container.flush();
  const tally = Tally.decode(written.tally);
  // With the length that it was put with, whatever the container has by now.
  tally.removeKind(group.type);
  tally.add(group.type, name, newBytes);
  state.transact(() => {
    state.removeObjects(Tally.decode(written.tally));
    state.addObjects(tally);
    supersedeLinkedInode(context, before, written);
    const paths = left.map((link) => context.entryPath(link.directory, link.name));
    context.manifest?.relink(paths, left.length);
    state.droppedLinks.setRelinked(
      group.id,
      left.length === names.length ? WorkStatus.done : WorkStatus.pending,
      name,
      tally.encode(),
    );
  });
}
