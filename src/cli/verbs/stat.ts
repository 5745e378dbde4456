import { escapeName, escapePath, type FoundInode, idHex, ObjectType } from '../../index.js';
import { fieldsLine, pathFields } from '../fields-line.js';
import { attributeFields, contentBytes, modeText, timeText } from './entry-text.js';
import { followSymlinks } from './follow-symlinks.js';
import { Exit, lookUpArgument, pathVerbCommand, type Verb, wantsJson, withReader } from './verb.js';

/** Segments that are named in text; JSON has all. */
const SHOWN_SEGMENTS = 16;

/** `stat`: everything about entries. */
export const stat: Verb = {
  name: 'stat',
  summary: 'show attributes, objects and links of entries',
  command: () =>
    pathVerbCommand(
      'stat',
      'Show all attributes of entries, their handles, objects, segments and back pointers.',
      '  clfsload stat /path/to/container some/file\n',
    )
      .argument('<container>')
      .argument('<path...>')
      .option('-L, --dereference', 'follow symlinks within the container'),
  run: (command, io) =>
    withReader(command, command.args[0], io, async ({ reader }) => {
      const { dereference } = command.opts<{ dereference?: boolean }>();
      for (const text of command.args.slice(1)) {
        const named = await lookUpArgument(command, reader, text);
        const { found, path } = dereference ? await followSymlinks(reader, named) : named;
        const segments: string[] = [];
        for await (const { id } of reader.blocks(found)) segments.push(idHex(id));
        if (wantsJson(command)) await io.write(fieldsLine(jsonOf(path, found, segments)));
        else await io.write(textOf(path, found, segments));
      }
      return Exit.ok;
    }),
};

function jsonOf(path: Buffer, found: FoundInode, segments: readonly string[]): object {
  const { inode, blob } = found;
  return {
    ...pathFields(path),
    ...attributeFields(found),
    fsid: inode.attributes.fsid.toString(),
    container_id: inode.attributes.containerId.toString(),
    object: blob.name,
    version: blob.key.version,
    stored_bytes: found.storedBytes,
    compressed: found.compressed,
    name_hex: Buffer.from(inode.name).toString('hex'),
    back_pointers: inode.backPointers?.map(idHex),
    segments,
    indirect_roots: inode.blockMap.roots.map(idHex),
  };
}

function textOf(path: Buffer, found: FoundInode, segments: readonly string[]): string {
  const { inode, blob } = found;
  const a = inode.attributes;
  const lines = [
    `  File: ${escapePath(path) || '.'}${a.type === ObjectType.symlink ? ` -> ${escapePath(inode.data ?? Buffer.alloc(0))}` : ''}`,
    `  Size: ${contentBytes(found)}   Links: ${a.linkCount}   Inode: ${a.inodeNumber}   Device: ${a.deviceMajor},${a.deviceMinor}`,
    `Access: (${(a.mode & 0o7777).toString(8).padStart(4, '0')}/${modeText(a)})   Uid: ${a.uid}   Gid: ${a.gid}`,
    `Access: ${timeText(a.atime)}`,
    `Modify: ${timeText(a.mtime)}`,
    `Change: ${timeText(a.ctime)}`,
    `Handle: ${idHex(found.id)}`,
    `Object: ${escapeName(blob.name)} (${found.storedBytes} bytes, ${found.compressed ? 'LZ4' : 'not compressed'})`,
    ...(inode.backPointers ?? []).map((id) => `  Back: ${idHex(id)}`),
    ...segments.slice(0, SHOWN_SEGMENTS).map((id, index) => `Segment ${index + 1}: ${id}`),
  ];
  if (segments.length > SHOWN_SEGMENTS)
    lines.push(`… and ${segments.length - SHOWN_SEGMENTS} further segments (--json names all)`);
  return `${lines.join('\n')}\n`;
}
