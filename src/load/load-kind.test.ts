import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openLocalContainer } from '../container/local-container.js';
import { LOAD_JOB, type RemoteLoadSetup } from './load-kind.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-load-kind-'));
afterAll(() => rmSync(base, { recursive: true }));

describe('the container of a load that is on disk', () => {
  it('is known to a worker by a probe, which a copy of it has not', async () => {
    const directory = join(base, 'container');
    mkdirSync(directory);
    const before = await openLocalContainer(directory);
    await before.put('blob', Buffer.from('content'));
    await before.makeProbe?.();
    const copy = join(base, 'copy');
    cpSync(directory, copy, { recursive: true });

    const driver = await openLocalContainer(directory);
    const probe = await driver.makeProbe?.();
    const setup = { bucketUuid: undefined, probe } as unknown as RemoteLoadSetup;
    const take = async (place: string) => {
      const container = await openLocalContainer(place);
      try {
        await LOAD_JOB.requireContainer(setup, container);
      } finally {
        await container.close();
      }
    };
    await take(directory);
    await expect(take(copy)).rejects.toMatchObject({ code: 'container-other' });
    const names: string[] = [];
    for await (const page of driver.list('')) names.push(...page.map(({ name }) => name));
    expect(names).toEqual(['blob']);
    // That of a session that was killed goes, and its own stays.
    expect(readdirSync(directory)).toHaveLength(3);
    await driver.tidy();
    await take(directory);
    expect(readdirSync(directory)).toHaveLength(2);
    await driver.close();
    expect(readdirSync(directory)).toEqual(['blob']);
    await expect(take(directory)).rejects.toMatchObject({ code: 'container-other' });
    await before.close();
  });
});
