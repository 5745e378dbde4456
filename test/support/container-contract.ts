import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { type BlobInfo, type Container, isEmpty } from '../../src/container/container.js';

/** A container whose puts fail after a part of the body, and another one over the same blobs that works. */
export interface BreakingContainer {
  readonly breaking: Container;
  readonly whole: Container;
  /** How many puts were broken off. */
  broken(): number;
}

/**
 * What every container does.
 *
 * @param open gives an empty one
 * @param openBreaking undefined where no put can fail halfway
 */
export function containerContract(
  open: () => Promise<Container>,
  openBreaking?: () => Promise<BreakingContainer>,
): void {
  const bytes = (text: string) => Buffer.from(text);
  const names = async (container: Container, prefix: string) => {
    const found: string[] = [];
    for await (const page of container.list(prefix)) found.push(...page.map(({ name }) => name));
    return found.sort();
  };

  it('is empty at first', async () => {
    const container = await open();
    expect(await isEmpty(container)).toBe(true);
    await container.close();
  });

  it('gives back what was put, also nothing and much', async () => {
    const container = await open();
    const blobs = [bytes(''), bytes('a'), Buffer.alloc(9_000_000, 'xyz')];
    for (const [index, blob] of blobs.entries()) await container.put(`blob.${index}`, blob);
    await container.flush();
    for (const [index, blob] of blobs.entries())
      expect((await container.get(`blob.${index}`, 10_000_000)).equals(blob)).toBe(true);
    expect(await isEmpty(container)).toBe(false);
    await container.close();
  });

  it('puts in place of what is there', async () => {
    const container = await open();
    await container.put('name', bytes('a long first content'));
    await container.put('name', bytes('second'));
    expect((await container.get('name', 100)).toString()).toBe('second');
    const listed: BlobInfo[] = [];
    for await (const page of container.list('')) listed.push(...page);
    expect(listed).toEqual([{ name: 'name', sizeBytes: 6 }]);
    await container.close();
  });

  it('holds one whole body of those that are put at once under one name', async () => {
    const container = await open();
    const bodies = Array.from({ length: 8 }, (_, i) => Buffer.alloc(300_000 + i, `${i}`));
    await Promise.all(bodies.map((body) => container.put('name', body)));
    const found = await container.get('name', 1_000_000);
    expect(bodies.some((body) => body.equals(found))).toBe(true);
    expect(await names(container, '')).toEqual(['name']);
    await container.close();
  });

  it.runIf(openBreaking)('has no blob of a put that failed, and the old one of a put in place', async () => {
    if (!openBreaking) throw new Error('no put can fail halfway');
    const { breaking, whole, broken } = await openBreaking();
    await whole.put('old', bytes('old content'));
    await expect(breaking.put('new', Buffer.alloc(2_000_000, 'x'))).rejects.toThrow();
    await expect(breaking.put('created', Buffer.alloc(2_000_000, 'x'), { onlyNew: true })).rejects.toThrow();
    await expect(breaking.put('old', Buffer.alloc(2_000_000, 'x'))).rejects.toThrow();
    expect(broken()).toBeGreaterThanOrEqual(3);
    expect(await names(whole, '')).toEqual(['old']);
    expect((await whole.get('old', 100)).toString()).toBe('old content');
    await whole.put('new', bytes('new'));
    expect((await whole.get('new', 100)).toString()).toBe('new');
    await Promise.all([breaking.close(), whole.close()]);
  });

  it('creates only what is not there, and leaves what is', async () => {
    const container = await open();
    await container.put('name', bytes('first'), { onlyNew: true });
    await expect(container.put('name', bytes('second'), { onlyNew: true })).rejects.toMatchObject({ code: 'exists' });
    expect((await container.get('name', 100)).toString()).toBe('first');
    await container.close();
  });

  it('lists by prefix, with sizes, more than a page', async () => {
    const container = await open();
    await Promise.all(
      Array.from({ length: 40 }, (_, i) => container.put(`A_${String(i).padStart(2, '0')}.x`, Buffer.alloc(i))),
    );
    await container.put('B_00.x', bytes('b'));
    expect(await names(container, 'A_')).toEqual(
      Array.from({ length: 40 }, (_, i) => `A_${String(i).padStart(2, '0')}.x`),
    );
    expect(await names(container, 'A_07.')).toEqual(['A_07.x']);
    expect(await names(container, 'C')).toEqual([]);
    for await (const page of container.list('A_3'))
      for (const { name, sizeBytes } of page) expect(sizeBytes).toBe(Number(name.slice(2, 4)));
    await container.close();
  });

  it('lists exactly the names that begin with a prefix, also of one hex digit', async () => {
    const container = await open();
    const hex = (i: number) => createHash('sha256').update(`${i}`).digest('hex');
    const all = Array.from({ length: 100 }, (_, i) => `${hex(i).slice(0, 20)}.x`).concat(
      '0',
      'f',
      'ff',
      'A',
      'G',
      '_0',
    );
    await Promise.all(all.map((name) => container.put(name, bytes(name))));
    for (const prefix of ['', ...'0123456789abcdef'.split(''), 'ff', '_', 'a0', '0.', all[7], `${all[7]}x`]) {
      expect(await names(container, prefix), prefix).toEqual(all.filter((name) => name.startsWith(prefix)).sort());
    }
    const byDigit: string[] = [];
    for (const digit of '0123456789abcdef') byDigit.push(...(await names(container, digit)));
    expect(byDigit.sort()).toEqual(all.filter((name) => /^[0-9a-f]/.test(name)).sort());
    await container.close();
  });

  it('takes and lists names with any characters', async () => {
    const container = await open();
    const odd = ['a&b', 'a<b>', 'a%20b', 'a b', 'a+b', 'ä€😀', 'a\'"b', 'a#b?c', 'a&amp;b'];
    for (const name of odd) await container.put(name, bytes(name));
    expect(await names(container, '')).toEqual([...odd].sort());
    expect(await names(container, 'a&')).toEqual(['a&amp;b', 'a&b']);
    for (const name of odd) expect((await container.get(name, 100)).toString()).toBe(name);
    for (const name of odd) await container.delete(name);
    expect(await isEmpty(container)).toBe(true);
    await container.close();
  });

  it('says what is not there', async () => {
    const container = await open();
    await expect(container.get('nothing', 100)).rejects.toMatchObject({ code: 'not-found' });
    await container.close();
  });

  it('refuses to read more than the limit', async () => {
    const container = await open();
    await container.put('large', Buffer.alloc(1000));
    await expect(container.get('large', 999)).rejects.toMatchObject({ code: 'format' });
    expect((await container.get('large', 1000)).length).toBe(1000);
    await container.close();
  });

  it('removes, also what is not there', async () => {
    const container = await open();
    await container.put('name', bytes('x'));
    await container.delete('name');
    await container.delete('name');
    expect(await isEmpty(container)).toBe(true);
    await container.close();
  });

  it('takes many puts at once', async () => {
    const container = await open();
    await Promise.all(Array.from({ length: 300 }, (_, i) => container.put(`many-${i}`, bytes(`content ${i}`))));
    await container.flush();
    for (const i of [0, 150, 299]) expect((await container.get(`many-${i}`, 100)).toString()).toBe(`content ${i}`);
    await container.close();
  });
}
