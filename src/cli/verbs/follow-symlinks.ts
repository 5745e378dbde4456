import { ClfsError, type ContainerReader, type LookedUp, lookUp, ObjectType, quotePath } from '../../index.js';

/** As many as Linux follows. */
const MOST_LINKS = 40;

/**
 * What a path leads to when a symlink at its end is followed, and the next, within the container.
 *
 * @throws ClfsError `usage` when a target leads out of the container, or in a circle; as {@link lookUp}
 */
export async function followSymlinks(reader: ContainerReader, start: LookedUp): Promise<LookedUp> {
  let at = start;
  for (let followed = 0; at.found.inode.attributes.type === ObjectType.symlink; followed++) {
    const target = at.found.inode.data ?? Buffer.alloc(0);
    const fail = (why: string) =>
      new ClfsError('usage', `Cannot follow the symlink ${quotePath(at.path)} to ${quotePath(target)}: ${why}.`);
    if (followed === MOST_LINKS) throw fail('it leads in a circle');
    const path = targetFrom(at.path, target);
    if (!path) throw fail('it leads out of the container');
    at = await lookUp(reader, path);
  }
  return at;
}

/** The path in the container; undefined when it is outside. */
function targetFrom(link: Buffer, target: Buffer): Buffer | undefined {
  const text = target.toString('latin1');
  if (text.startsWith('/')) return undefined;
  const parts = link.toString('latin1').split('/').slice(0, -1);
  for (const part of text.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== '' && part !== '.') parts.push(part);
  }
  return Buffer.from(parts.join('/'), 'latin1');
}
