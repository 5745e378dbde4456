import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClfsError } from '../../src/error.js';
import { CURRENT_DIRECTORY, makeNode } from '../../src/posix/libc.js';
import { openPosixSource } from '../../src/source/posix-source.js';
import type { SourceTree } from '../../src/source/source-tree.js';
import { live, type Scratch } from './life.js';
import { DIRECTORY, FIFO, REGULAR, SYMLINK } from './model-node.js';
import { openModelSource } from './model-source.js';
import { ModelTree, type Place } from './model-tree.js';
import { drawLife, drawWorkersLife } from './plan.js';
import { shrink } from './shrink.js';

const NOBODY = 65534;
const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-model-'));
const bytes = (text: string) => Buffer.from(text);
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Sessions of a driver have names that are drawn. */
const withoutEpoch = (line: string) => line.replaceAll(/[0-9a-f]{8}-[0-9a-f]{12}/g, 'EPOCH');

/** A real tree and the model of it, in which the same is done. */
class Twins {
  readonly tree = new ModelTree(false);
  readonly root: string;

  constructor(name: string) {
    this.root = join(base, name);
    mkdirSync(this.root);
    this.file('file', 'some content');
    this.directory('d');
    this.file('d/inside', 'inside');
    this.#add('link', SYMLINK, 'file');
    symlinkSync('file', join(this.root, 'link'));
    this.#add('fifo', FIFO);
    makeNode(CURRENT_DIRECTORY, bytes(join(this.root, 'fifo')), 0o010644, 0, 0);
  }

  sources(): readonly SourceTree[] {
    const { tree } = this;
    const model = openModelSource({
      tree,
      deviceOf: () => '8:1',
      isMounted: () => true,
      mountName: () => 'one',
      tellsTypes: true,
      tellsBirth: true,
      placeAsked: () => undefined,
      before: () => undefined,
    });
    return [openPosixSource(bytes(this.root)), model];
  }

  place(path: string): Place {
    const place = this.tree.places().find((candidate) => candidate.path === path);
    if (!place) throw new Error(`The model has no ${path}.`);
    return place;
  }

  file(path: string, content: string): void {
    this.#add(path, REGULAR, content);
    writeFileSync(join(this.root, path), content);
  }

  directory(path: string): void {
    this.#add(path, DIRECTORY);
    mkdirSync(join(this.root, path));
  }

  lock(path: string, locked: boolean): void {
    const { node } = this.place(path);
    const permissions = locked ? 0 : node.isDirectory ? 0o755 : 0o644;
    this.tree.change(node, { permissions });
    chmodSync(join(this.root, path), permissions);
  }

  #add(path: string, type: 1 | 2 | 5 | 7, content?: string): void {
    const slash = path.lastIndexOf('/');
    const parent = slash < 0 ? this.tree.root : this.place(path.slice(0, slash)).node;
    this.tree.enter(
      parent,
      path.slice(slash + 1),
      this.tree.makeNode(type, content === undefined ? undefined : bytes(content)),
    );
  }
}

/** What a call gives, or why it fails. */
function outcome(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error instanceof ClfsError ? `${error.code} ${error.reason}` : String(error);
  }
}

/** Everything that can be seen of a few paths, as the loader sees it. */
function look(source: SourceTree): unknown[] {
  const seen: unknown[] = [];
  for (const path of ['', 'd', 'd/inside', 'file', 'missing', 'missing/below']) {
    seen.push(
      outcome(() => {
        const directory = source.openDirectory(bytes(path));
        try {
          const names = [...directory.list()].flat().map(({ name, type }) => `${name.toString()} ${type}`);
          return [
            names.sort(),
            ...['file', 'link', 'fifo', 'd', 'inside', 'missing', 'other'].map((name) =>
              lookAt(directory, bytes(name)),
            ),
          ];
        } finally {
          directory.close();
        }
      }),
    );
  }
  return seen;
}

function lookAt(directory: ReturnType<SourceTree['openDirectory']>, name: Buffer): unknown {
  return [
    outcome(() => {
      const { mode, type, linkCount, sizeBytes } = directory.attributesOf(name);
      return [mode, type, linkCount, type === DIRECTORY ? 0n : sizeBytes];
    }),
    outcome(() => directory.readLink(name).toString()),
    outcome(() => {
      const file = directory.openFile(name);
      try {
        const { type } = file.attributes();
        if (type !== REGULAR) return type;
        const target = Buffer.alloc(100);
        return target.subarray(0, file.read(target, 2)).toString();
      } finally {
        file.close();
      }
    }),
  ];
}

describe('the model of a source', () => {
  // The permissions count only for ordinary users.
  const asNobody = process.getuid?.() === 0;
  beforeAll(() => chmodSync(base, 0o755));

  function same(twins: Twins): void {
    const [real, model] = twins.sources();
    if (asNobody) process.seteuid?.(NOBODY);
    try {
      expect(look(model)).toEqual(look(real));
    } finally {
      if (asNobody) process.seteuid?.(0);
      real.close();
    }
  }

  it('shows what a real one shows, while it changes', () => {
    const twins = new Twins('changes');
    const { tree, root } = twins;
    same(twins);
    tree.enter(tree.root, 'other', twins.place('file').node);
    linkSync(join(root, 'file'), join(root, 'other'));
    same(twins);
    tree.leave(tree.root, 'file');
    unlinkSync(join(root, 'file'));
    same(twins);
    tree.move(twins.place('other'), twins.place('d').node, 'file');
    renameSync(join(root, 'other'), join(root, 'd', 'file'));
    same(twins);
    tree.leave(tree.root, 'd');
    rmSync(join(root, 'd'), { recursive: true });
    twins.file('d', 'no directory any more');
    same(twins);
  });

  it('fails where a real one fails for want of permission', () => {
    const twins = new Twins('locks');
    for (const path of ['file', 'd/inside', 'd']) {
      twins.lock(path, true);
      same(twins);
    }
    twins.lock('d', false);
    same(twins);
  });

  it('keeps open what is open', () => {
    const twins = new Twins('open');
    const { tree, root } = twins;
    const { node } = twins.place('file');
    const sources = twins.sources();
    const files = sources.map((source) => {
      const directory = source.openDirectory(bytes(''));
      const file = directory.openFile(bytes('file'));
      directory.close();
      return file;
    });
    const befores = files.map((file) => file.attributes());
    const read = () =>
      files.map((file, index) => {
        const target = Buffer.alloc(50);
        return [
          target.subarray(0, file.read(target, 5)).toString(),
          file.isUnchanged(befores[index]),
          file.attributes().sizeBytes,
        ];
      });
    const [before, modelBefore] = read();
    expect(modelBefore).toEqual(before);
    tree.write(node, bytes('some content, and more'));
    appendFileSync(join(root, 'file'), ', and more');
    const [grown, modelGrown] = read();
    expect(modelGrown).toEqual(grown);
    tree.write(node, bytes('some'));
    truncateSync(join(root, 'file'), 4);
    const [cut, modelCut] = read();
    expect(modelCut).toEqual(cut);
    tree.leave(tree.root, 'file');
    unlinkSync(join(root, 'file'));
    const [gone, modelGone] = read();
    expect(modelGone).toEqual(gone);
    for (const file of files) file.close();
    sources[0].close();
  });
});

describe('a life', () => {
  const scratch: Scratch = { base, source: join(base, 'source') };
  beforeAll(() => mkdirSync(scratch.source));

  it('is the same each time', async () => {
    for (let seed = 1000; seed < 1030; seed++) {
      const first = await live(drawLife(seed), scratch);
      const second = await live(drawLife(seed), scratch);
      expect(second.story).toEqual(first.story);
      expect(second.findings).toEqual(first.findings);
    }
  });

  it('with workers is the same each time', async () => {
    for (let seed = 1000; seed < 1010; seed++) {
      const first = await live(drawWorkersLife(seed), scratch);
      const second = await live(drawWorkersLife(seed), scratch);
      expect(second.story.map(withoutEpoch)).toEqual(first.story.map(withoutEpoch));
      expect(second.findings).toEqual(first.findings);
    }
  });

  it('is made smaller while it still fails', async () => {
    const life = drawLife(1000);
    const smallest = await shrink(life, async ({ tree }) => tree.some(({ kind }) => kind === 'link'));
    expect(smallest.tree.map(({ kind }) => kind)).toEqual(['link']);
    expect(smallest.sessions.flatMap(({ events, before }) => [...events, ...before])).toEqual([]);
    expect(smallest.preserveHardLinks).toBe(false);
  });
});
