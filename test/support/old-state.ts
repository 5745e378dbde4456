import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { MemoryContainer } from '../../src/container/memory-container.js';
import type { Timestamp } from '../../src/format/attributes.js';
import { packAttributes, unpackAttributes } from '../../src/format/packed-attributes.js';
import { CURRENT_DIRECTORY, makeNode, setTimes } from '../../src/posix/libc.js';
import type { SourceAttributes, SourceTree } from '../../src/source/source-tree.js';
import { isUnchanged } from '../../src/source/unchanged.js';
import { openDatabase } from '../../src/sqlite/database.js';
import { toU64 } from '../../src/state/u64.js';

const TIME = { seconds: 1_700_000_000, nanoseconds: 123_456_789 };

/** Bytes of a file of several segments, each of which says which one it is. */
function largeContent(name: string, segments: number): string {
  const block = (at: number, bytes: number) => `${name} ${at} `.repeat(Math.ceil(bytes / name.length)).slice(0, bytes);
  return [block(0, 600), ...Array.from({ length: segments }, (_, at) => block(at + 1, 2500))].join('');
}

/**
 * Makes the tree of which the states in `fixtures/state-0.1.0-*` are; the same at every call but for inode numbers and
 * change times.
 */
export function makeOldTree(root: string): void {
  mkdirSync(root);
  const file = (name: string, content = `content of ${name}`) => {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  };
  const link = (existing: string, name: string) => {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    linkSync(join(root, existing), join(root, name));
  };
  for (let i = 0; i < 300; i++) file(`two-chunks/file-${i}`);
  for (let i = 0; i < 20; i++)
    file(`one-chunk/file-${i}`, i % 2 === 0 ? undefined : largeContent(`one-chunk/file-${i}`, 1).slice(0, 2000));
  file('one-chunk/locked', largeContent('one-chunk/locked', 1).slice(0, 2000));
  file('large/half-sent', largeContent('half-sent', 8));
  file('large/changing', largeContent('changing', 5));
  for (let i = 0; i < 40; i++) file(`writing-here/${`${i}-`.padEnd(40, 'n')}`);
  for (let i = 0; i < 10; i++) file(`a/b/c/d/listing/file-${i}`);
  file('locked-directory/inner/file');
  file('links-1/first', 'first linked file');
  link('links-1/first', 'links-2/first');
  file('links-2/second', largeContent('second', 4));
  link('links-2/second', 'links-3/second');
  for (const directory of ['beside', 'beside-too'])
    for (const name of ['one', 'two', 'three']) file(`${directory}/${name}`);
  file('beside/linked', 'a linked file beside others');
  link('beside/linked', 'beside-too/linked');
  symlinkSync('two-chunks/file-0', join(root, 'symlink'));
  makeNode(CURRENT_DIRECTORY, Buffer.from(join(root, 'fifo')), 0o010644, 0, 0);
  settle(root);
}

/** Gives everything the same times and permissions. */
function settle(path: string): void {
  const status = lstatSync(path);
  if (status.isDirectory()) for (const name of readdirSync(path)) settle(join(path, name));
  if (!status.isSymbolicLink()) chmodSync(path, status.isDirectory() ? 0o755 : 0o644);
  setTimes(CURRENT_DIRECTORY, Buffer.from(path), TIME, TIME);
}

/** Unpacks a job of version 0.1.0 into `place`: its state in `state`. @returns what its container held */
export function unpackOldState(name: string, place: string): MemoryContainer {
  mkdirSync(place);
  execFileSync('tar', [
    'xzf',
    new URL(`../fixtures/state-0.1.0-${name}.tar.gz`, import.meta.url).pathname,
    '-C',
    place,
  ]);
  const store = new MemoryContainer();
  for (const blob of readdirSync(join(place, 'blobs'))) store.blobs.set(blob, readFileSync(join(place, 'blobs', blob)));
  return store;
}

/**
 * Has a state mean the tree at `source`: no file keeps its inode number when it is packed.
 *
 * @returns the change times that are recorded of large files which are half sent, by their paths below the root
 */
export function rebind(databasePath: string, source: string): ReadonlyMap<string, Timestamp> {
  const db = openDatabase(databasePath);
  const rows = <T>(sql: string) => db.prepare(sql).all() as T[];
  const directories = new Map(
    rows<{ id: number; parent: number; name: Uint8Array; known: number }>(
      `SELECT id, parent, name, inode <> x'0000000000000000' AS known FROM directory WHERE status <> 7`,
    ).map((row) => [row.id, row]),
  );
  const pathOf = (id: number): string => {
    const row = directories.get(id);
    if (!row) throw new Error(`There is no directory ${id}.`);
    return row.parent === 0 ? source : join(pathOf(row.parent), Buffer.from(row.name).toString());
  };
  const look = (path: string) => lstatSync(path, { bigint: true });
  db.exec('BEGIN');
  // What is hidden is thrown away by the next session, and its numbers may be in the way.
  db.exec('UPDATE directory SET inode = randomblob(8) WHERE status = 7');
  for (const table of ['directory', 'link_group']) {
    db.exec(
      `UPDATE ${table} SET inode = CAST(x'FFFFFFFF' || substr(inode, 5) AS BLOB) WHERE inode <> x'0000000000000000'`,
    );
  }
  for (const { id, known } of directories.values()) {
    if (known) db.prepare('UPDATE directory SET inode = ? WHERE id = ?').run(toU64(look(pathOf(id)).ino), id);
  }
  for (const { group, directory, name } of rows<{ group: number; directory: number; name: Uint8Array }>(
    'SELECT link_group AS "group", min(directory) AS directory, name FROM link GROUP BY link_group',
  )) {
    const { ino } = look(join(pathOf(directory), Buffer.from(name).toString()));
    db.prepare('UPDATE link_group SET inode = ? WHERE id = ?').run(toU64(ino), group);
  }
  const changeTimes = new Map<string, Timestamp>();
  for (const { id, directory, source_name, attributes } of rows<LargeRow>(
    'SELECT id, directory, source_name, attributes FROM large',
  )) {
    const path = join(pathOf(directory), Buffer.from(source_name).toString());
    const recorded = unpackAttributes(attributes);
    const inodeNumber = look(path).ino;
    db.prepare('UPDATE large SET attributes = ? WHERE id = ?').run(packAttributes({ ...recorded, inodeNumber }), id);
    changeTimes.set(path.slice(source.length + 1), recorded.ctime);
  }
  const device = deviceText(look(source).dev);
  db.prepare('UPDATE file_system SET device = ?').run(device);
  const { record } = db.prepare('SELECT record FROM job').get() as { record: string };
  const bound = { ...(JSON.parse(record) as object), sourceHex: Buffer.from(source).toString('hex') };
  db.prepare('UPDATE job SET record = ?').run(JSON.stringify(bound));
  db.exec('COMMIT');
  db.close();
  return changeTimes;
}

interface LargeRow {
  readonly id: number;
  readonly directory: number;
  readonly source_name: Uint8Array;
  readonly attributes: Uint8Array;
}

/** A source in which files have the change times that are recorded of them: nothing else can set these. */
export function withChangeTimes(tree: SourceTree, changeTimes: ReadonlyMap<string, Timestamp>): SourceTree {
  return {
    ...tree,
    openDirectory(path, expected) {
      const directory = tree.openDirectory(path, expected);
      const patch = (name: Buffer, attributes: SourceAttributes): SourceAttributes => {
        const time = changeTimes.get(`${path.toString()}/${name.toString()}`);
        return time ? { ...attributes, ctimeSeconds: time.seconds, ctimeNanoseconds: time.nanoseconds } : attributes;
      };
      return {
        attributes: () => directory.attributes(),
        list: () => directory.list(),
        attributesOf: (name) => patch(name, directory.attributesOf(name)),
        readLink: (name) => directory.readLink(name),
        openFile(name) {
          const file = directory.openFile(name);
          return {
            attributes: () => patch(name, file.attributes()),
            isUnchanged: (before) => isUnchanged(before, patch(name, file.attributes())),
            read: (target, position) => file.read(target, position),
            close: () => file.close(),
          };
        },
        close: () => directory.close(),
      };
    },
  };
}

/** As the program writes a device: major and minor number. */
function deviceText(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}
