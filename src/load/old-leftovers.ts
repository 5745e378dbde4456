import { idHex, ObjectType } from '../format/ids.js';
import { decodeInode } from '../format/inode.js';
import { decodeObjectName } from '../format/names.js';
import { decodeSegment } from '../format/segment.js';
import type { OldLeftover } from '../state/leftovers.js';
import { blockNames } from '../worker/indirect-blocks.js';
import type { EndTools } from './end-tools.js';
import type { LeftoverGuard, Verdict } from './guard.js';
import type { Presence } from './presence.js';

/** Where a handle holds its sequence number. Source: docs/format.md 2 */
const SEQUENCE_AT = 8;

/**
 * Judges a left-over that version 0.1.0 recorded: a name, or the segments of a handle. That program used names again,
 * so it may count: it goes only where nothing in the state or the container leads to it.
 */
export async function judgeOld(
  leftover: OldLeftover,
  tools: EndTools,
  guard: LeftoverGuard,
  presence: Presence,
): Promise<Verdict> {
  const { name, handle } = leftover;
  if (handle) {
    if (!(await ownerNames(handle, blockIds(leftover, tools), guard, presence))) {
      return { remove: blockNames({ ...leftover, handle }, tools.work) };
    }
    return { refuse: `the inode ${idHex(handle)} names its segments` };
  }
  const key = name === undefined ? undefined : decodeObjectName(name);
  if (name === undefined || !key) return { refuse: `${name} is no object's name` };
  const body = await guard.bodyOf(name);
  if (!body) return { remove: [] };
  if (key.type === ObjectType.segment || key.type === ObjectType.indirect) {
    const { owner } = decodeSegment(body);
    const counts = await ownerNames(owner.handle, new Set([idHex(key.id)]), guard, presence);
    return counts ? { refuse: `the inode that counts names ${name}` } : { remove: [name] };
  }
  const versions = await presence.versions(key.id);
  const superseded = versions.some((version) => version.key.version > key.version);
  if (superseded) return { remove: [name] };
  const sequence = Number(key.id.readBigUInt64LE(SEQUENCE_AT));
  if (guard.isKnown(sequence)) return { refuse: `the state knows ${name}` };
  for (const directory of decodeInode(body).backPointers ?? []) {
    const [newest] = [...(await presence.versions(directory))].sort((a, b) => b.key.version - a.key.version);
    if (newest && (await guard.leadsTo(newest.name, key.id))) return { refuse: `a directory leads to ${name}` };
  }
  return { remove: [name] };
}

function blockIds(leftover: OldLeftover, tools: EndTools): ReadonlySet<string> {
  const handle = leftover.handle ?? new Uint8Array(0);
  const [first] = blockNames({ ...leftover, handle, segments: Math.min(1, leftover.segments) }, tools.work);
  const id = first === undefined ? undefined : decodeObjectName(first)?.id;
  return new Set(id ? [idHex(id)] : []);
}

/** Whether the version of an inode that counts names one of some blocks. */
async function ownerNames(
  handle: Uint8Array,
  ids: ReadonlySet<string>,
  guard: LeftoverGuard,
  presence: Presence,
): Promise<boolean> {
  const [newest] = [...(await presence.versions(handle))].sort((a, b) => b.key.version - a.key.version);
  if (!newest) return false;
  const { direct, roots } = (await guard.inode(newest.name)).blockMap;
  return [...direct, ...roots].some((id) => ids.has(idHex(id)));
}
