import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { removeTree } from '../../../test/support/tree.js';
import { makeProbe, removeProbe, requireProbe } from './target-probe.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-probe-'));
afterAll(() => removeTree(base));
const NAME = Buffer.from('.clfsload-job-probe');

function targetOf(name: string) {
  const path = join(base, name);
  mkdirSync(path);
  const root = openSync(path, 'r');
  return { path, root, close: () => closeSync(root) };
}

describe('the probe of a target', () => {
  it('is found by who sees the same target, and goes without leaving anything', async () => {
    const { path, root, close } = targetOf('same');
    const probe = await makeProbe(root, NAME);
    await requireProbe(root, structuredClone(probe));
    utimesSync(path, 5, 5);
    await requireProbe(root, probe);
    // What is tried in it leaves the times of the target alone.
    expect(statSync(path).mtimeMs).toBe(5000);
    await removeProbe(root, NAME);
    await removeProbe(root, NAME);
    expect(readdirSync(path)).toEqual([]);
    await expect(requireProbe(root, probe)).rejects.toThrow("the driver's probe is not there");
    close();
  });

  it('is not that of another target, or of another session', async () => {
    const [one, other] = [targetOf('one'), targetOf('other')];
    const probe = await makeProbe(one.root, NAME);
    await expect(requireProbe(other.root, probe)).rejects.toThrow("the driver's probe is not there");
    await makeProbe(other.root, NAME);
    await expect(requireProbe(other.root, probe)).rejects.toThrow('it has another probe');
    await makeProbe(one.root, NAME);
    await expect(requireProbe(one.root, probe)).rejects.toThrow('it has another probe');
    one.close();
    other.close();
  });

  it('tells that what is made there belongs to somebody else, or cannot be given away', async () => {
    const { root, close } = targetOf('squashed');
    const probe = await makeProbe(root, NAME);
    const owner = { uid: probe.owner.uid + 1, gid: probe.owner.gid };
    await expect(requireProbe(root, { ...probe, owner })).rejects.toThrow('belongs to');
    await requireProbe(root, { ...probe, mayGive: false });
    close();
  });

  it('is removed with what is in it', async () => {
    const { path, root, close } = targetOf('full');
    await makeProbe(root, NAME);
    for (let at = 0; at < 300; at++) writeFileSync(join(path, NAME.toString(), `worker-${at}`), '');
    await removeProbe(root, NAME);
    expect(readdirSync(path)).toEqual([]);
    close();
  });
});
