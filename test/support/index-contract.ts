import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MemoryContainer } from '../../src/container/memory-container.js';
import { hash64Hex } from '../../src/format/hash.js';
import { idHex, NOT_FINAL_OWNER } from '../../src/format/ids.js';
import { decodeObjectName, encodeObjectNameHashed, encodeObjectNameV1 } from '../../src/format/names.js';
import { counts, type ObjectBlob } from '../../src/namespace/object-blob.js';
import type { ObjectIndex } from '../../src/namespace/object-index.js';

/** A container that lists these blobs, in this order, in pages of three. */
export function containerListing(
  blobs: readonly { readonly name: string; readonly sizeBytes: number }[],
): MemoryContainer {
  const container = new MemoryContainer();
  container.list = async function* () {
    for (let at = 0; at < blobs.length; at += 3) yield blobs.slice(at, at + 3);
  };
  return container;
}

const OWNERS = [hash64Hex(NOT_FINAL_OWNER), hash64Hex(Buffer.from('one')), hash64Hex(Buffer.from('two'))];
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
// Ids that share bytes at either end, and the very same ones: what is compared word by word must not end too early.
const fewIds = fc
  .tuple(fc.constantFrom(16, 24), fc.constantFrom(0, 5, 8, 15, 20), fc.nat(1))
  .map(([length, at, value]) => {
    const few = new Uint8Array(length);
    few[at % length] = value * 255;
    return few;
  });
const id = fc.oneof(bytes(24), bytes(16), { weight: 4, arbitrary: fewIds });
const size = fc.oneof(fc.nat(), fc.maxSafeInteger().map(Math.abs));
const version = fc.oneof(fc.nat(12), fc.constantFrom(4294967295, 4294967296, 99999999999));
const object = fc
  .record({
    id,
    type: fc.integer({ min: 1, max: 12 }),
    owner: fc.constantFrom(...OWNERS),
    version,
    first: fc.boolean(),
    size,
  })
  .map((each) => ({
    name: each.first
      ? encodeObjectNameV1(each.id, each.version)
      : encodeObjectNameHashed(each.id, each.type, each.owner, each.version),
    sizeBytes: each.size,
  }));
const other = fc.record({ name: fc.string({ unit: 'grapheme' }).map((text) => `tmp_${text}`), sizeBytes: size });
const listing = fc.uniqueArray(fc.oneof({ weight: 8, arbitrary: object }, { weight: 1, arbitrary: other }), {
  selector: ({ name }) => name,
  maxLength: 60,
});

/** What an index is, the slow way. */
function naive(blobs: readonly { readonly name: string; readonly sizeBytes: number }[]) {
  const counting = new Map<string, ObjectBlob>();
  const superseded: string[] = [];
  const others: string[] = [];
  for (const { name, sizeBytes } of blobs) {
    const key = decodeObjectName(name);
    if (!key) others.push(`${name} ${sizeBytes}`);
    else {
      const known = counting.get(idHex(key.id));
      if (!known || counts({ name, sizeBytes, key }, known)) counting.set(idHex(key.id), { name, sizeBytes, key });
      if (known) superseded.push(counting.get(idHex(key.id)) === known ? `${name} ${sizeBytes}` : shown(known));
    }
  }
  return { counting, superseded: superseded.sort(), others: others.sort() };
}

const shown = ({ name, sizeBytes }: { readonly name: string; readonly sizeBytes: number }) => `${name} ${sizeBytes}`;

async function flat(pages: AsyncIterable<readonly ObjectBlob[]>): Promise<string[]> {
  const all: string[] = [];
  for await (const page of pages) all.push(...page.map(shown));
  return all.sort();
}

/**
 * What every index of a container is.
 *
 * @param open lists a container
 * @param many blobs that are more than a page
 */
export function indexContract(open: (container: MemoryContainer) => Promise<ObjectIndex>, many = 20_000): void {
  it('is what a map of all names would be', async () => {
    let shadowed = 0;
    await fc.assert(
      fc.asyncProperty(listing, fc.array(id, { maxLength: 5 }), async (blobs, strangers) => {
        const index = await open(containerListing(blobs));
        const expected = naive(blobs);
        shadowed += expected.superseded.length;
        expect(await flat(index.all())).toEqual([...expected.counting.values()].map(shown).sort());
        expect(await flat(index.superseded())).toEqual(expected.superseded);
        expect([...index.others()].map(shown).sort()).toEqual(expected.others);
        expect([index.count, index.supersededCount, index.otherCount]).toEqual([
          expected.counting.size,
          expected.superseded.length,
          expected.others.length,
        ]);
        for (const wanted of [
          ...[...expected.counting.values()].map(({ key }) => key.id),
          ...strangers,
          Buffer.alloc(0),
          Buffer.alloc(23),
        ]) {
          const found = await index.find(wanted);
          const should = expected.counting.get(idHex(wanted));
          expect(found && { name: found.name, sizeBytes: found.sizeBytes, key: found.key }).toEqual(should);
        }
        index.close();
      }),
      { numRuns: 150 },
    );
    expect(shadowed).toBeGreaterThan(50);
  });

  it('keeps sets of ids apart', async () => {
    await fc.assert(
      fc.asyncProperty(listing, fc.infiniteStream(fc.nat(5)), async (blobs, choices) => {
        const index = await open(containerListing(blobs));
        const ids = [...naive(blobs).counting.values()].map(({ key }) => key.id);
        const sets = [index.idSet(), index.idSet()];
        const models = [new Set<string>(), new Set<string>()];
        for (const each of [...ids, ...ids]) {
          const choice = choices.next().value as number;
          const [set, model] = [sets[choice & 1], models[choice & 1]];
          const hex = idHex(each);
          expect(set.has(each)).toBe(model.has(hex));
          if (choice < 4) {
            expect(set.add(each)).toBe(!model.has(hex));
            model.add(hex);
          } else expect(set.delete(each)).toBe(model.delete(hex));
        }
        for (const [at, set] of sets.entries()) {
          const rest = (await flat(set.rest())).map((line) =>
            idHex(decodeObjectName(line.split(' ')[0])?.id ?? Buffer.alloc(0)),
          );
          expect(rest.sort()).toEqual(
            ids
              .map(idHex)
              .filter((hex) => !models[at].has(hex))
              .sort(),
          );
          expect(set.has(Buffer.alloc(24, 0xee))).toBe(false);
          set.close();
        }
        index.close();
      }),
      { numRuns: 80 },
    );
  });

  it('holds more than a page of everything', async () => {
    const blobs = Array.from({ length: many }, (_, i) => {
      const handle = Buffer.alloc(24);
      handle.writeUInt32LE(((i >> 1) * 2_654_435_761) >>> 0, 16);
      handle.writeUInt32LE(i >> 1, 8);
      return { name: encodeObjectNameHashed(handle, 1, OWNERS[1], 9 + (i & 1)), sizeBytes: i };
    });
    const index = await open(containerListing([...blobs].sort((a, b) => (a.name < b.name ? -1 : 1))));
    expect([index.count, index.supersededCount]).toEqual([many / 2, many / 2]);
    expect(await flat(index.all())).toEqual(
      blobs
        .filter((_, i) => i & 1)
        .map(shown)
        .sort(),
    );
    for (const { name, sizeBytes } of blobs.filter((_, i) => i & 1)) {
      const found = await index.find(decodeObjectName(name)?.id ?? Buffer.alloc(0));
      expect(found && shown(found)).toBe(shown({ name, sizeBytes }));
    }
    index.close();
  });
}
