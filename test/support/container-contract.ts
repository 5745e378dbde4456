import { expect, it } from 'vitest';
import { type Container, isEmpty } from '../../src/container/container.js';

/** What every container does. `open` gives an empty one. */
export function containerContract(open: () => Promise<Container>): void {
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
    for (const [index, blob] of blobs.entries()) expect((await container.get(`blob.${index}`, 10_000_000)).equals(blob)).toBe(true);
    expect(await isEmpty(container)).toBe(false);
    await container.close();
  });

  it('puts in place of what is there', async () => {
    const container = await open();
    await container.put('name', bytes('a long first content'));
    await container.put('name', bytes('second'));
    expect((await container.get('name', 100)).toString()).toBe('second');
    await container.close();
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
    await Promise.all(Array.from({ length: 40 }, (_, i) => container.put(`A_${String(i).padStart(2, '0')}.x`, Buffer.alloc(i))));
    await container.put('B_00.x', bytes('b'));
    expect(await names(container, 'A_')).toEqual(Array.from({ length: 40 }, (_, i) => `A_${String(i).padStart(2, '0')}.x`));
    expect(await names(container, 'A_07.')).toEqual(['A_07.x']);
    expect(await names(container, 'C')).toEqual([]);
    for await (const page of container.list('A_3')) for (const { name, sizeBytes } of page) expect(sizeBytes).toBe(Number(name.slice(2, 4)));
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
