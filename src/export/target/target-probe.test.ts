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
  it('is found by who sees the same target, and goes without leaving anything', () => {
    const { path, root, close } = targetOf('same');
    const probe = makeProbe(root, NAME);
    expect(() => requireProbe(root, structuredClone(probe))).not.toThrow();
    utimesSync(path, 5, 5);
    requireProbe(root, probe);
    // What is tried in it leaves the times of the target alone.
    expect(statSync(path).mtimeMs).toBe(5000);
    removeProbe(root, NAME);
    removeProbe(root, NAME);
    expect(readdirSync(path)).toEqual([]);
    expect(() => requireProbe(root, probe)).toThrow("the driver's probe is not there");
    close();
  });

  it('is not that of another target, or of another session', () => {
    const [one, other] = [targetOf('one'), targetOf('other')];
    const probe = makeProbe(one.root, NAME);
    expect(() => requireProbe(other.root, probe)).toThrow("the driver's probe is not there");
    makeProbe(other.root, NAME);
    expect(() => requireProbe(other.root, probe)).toThrow('it has another probe');
    makeProbe(one.root, NAME);
    expect(() => requireProbe(one.root, probe)).toThrow('it has another probe');
    one.close();
    other.close();
  });

  it('tells that what is made there belongs to somebody else, or cannot be given away', () => {
    const { root, close } = targetOf('squashed');
    const probe = makeProbe(root, NAME);
    const owner = { uid: probe.owner.uid + 1, gid: probe.owner.gid };
    expect(() => requireProbe(root, { ...probe, owner })).toThrow('belongs to');
    expect(() => requireProbe(root, { ...probe, mayGive: false })).not.toThrow();
    close();
  });

  it('is removed with what is in it', () => {
    const { path, root, close } = targetOf('full');
    makeProbe(root, NAME);
    for (let at = 0; at < 300; at++) writeFileSync(join(path, NAME.toString(), `worker-${at}`), '');
    removeProbe(root, NAME);
    expect(readdirSync(path)).toEqual([]);
    close();
  });
});
