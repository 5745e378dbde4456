import { lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createManifest } from '../../src/audit/create-manifest.js';
import type { MemoryContainer } from '../../src/container/memory-container.js';
import { formatManifestEntry } from '../../src/manifest/manifest-entry.js';
import { bytesOf, makeRandomTree } from '../export-lives/tree.js';
import { Random } from '../lives/random.js';
import { loadSmall, readSmall } from '../support/small-container.js';

/** A source, a container of it, and a manifest of that: the source or the container were changed after it. */
export interface AuditWorld {
  readonly source: string;
  readonly container: MemoryContainer;
  readonly manifest: string;
}

const WORLDS = 36;
/** Changes of a world, at most. */
const MOST_CHANGES = 4;

/** Worlds that lives share: a load takes much longer than a life. */
export class AuditWorlds {
  readonly #base: string;
  readonly #made = new Map<number, AuditWorld>();

  constructor(base: string) {
    this.#base = base;
  }

  async of(seed: number): Promise<AuditWorld> {
    const number = seed % WORLDS;
    const world = this.#made.get(number) ?? (await this.#make(number));
    this.#made.set(number, world);
    return world;
  }

  async #make(number: number): Promise<AuditWorld> {
    const random = new Random(2_000_000 + number);
    const at = (what: string) => join(this.#base, `${what}-${number}`);
    const source = at('source');
    makeRandomTree(source, random);
    const container = await loadSmall(source, this.#base);
    const lines: string[] = [];
    for await (const { entry } of createManifest(await readSmall(container), { hash: true }))
      if (entry) lines.push(formatManifestEntry(entry));
    const manifest = at('manifest');
    writeFileSync(manifest, `${lines.join('\n')}\n`);
    for (let left = random.below(1 + MOST_CHANGES); left > 0; left--) changeSource(source, random);
    for (let left = random.below(1 + MOST_CHANGES); left > 0; left--) damage(container, random);
    return { source, container, manifest };
  }
}

/** Changes a file of the root of a source, if there is one. */
function changeSource(source: string, random: Random): void {
  const names = readdirSync(source, { encoding: 'latin1' }).sort();
  const files = names.filter((name) => lstatSync(bytesOf(join(source, name))).isFile());
  if (files.length === 0) return;
  const path = bytesOf(join(source, random.pick(files)));
  const what = random.below(4);
  if (what === 0) rmSync(path);
  else if (what === 1) writeFileSync(Buffer.concat([path, Buffer.from('-new')]), 'new');
  else if (what === 2) writeFileSync(path, 'another content');
  else writeFileSync(path, readFileSync(path).fill(1));
}

/** Damages a blob of a container. */
function damage({ blobs }: MemoryContainer, random: Random): void {
  const names = [...blobs.keys()].sort();
  const name = random.pick(names);
  const other = random.pick(names);
  const body = Buffer.from(blobs.get(name) as Buffer);
  const what = random.below(4);
  if (what === 0) blobs.delete(name);
  else if (what === 1) blobs.set(name, body.subarray(0, random.below(1 + body.length)));
  else if (what === 2) blobs.set(name, blobs.get(other) as Buffer);
  else if (body.length > 0) {
    body[random.below(body.length)] ^= 1 << random.below(8);
    blobs.set(name, body);
  }
}
