import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { MemoryContainer } from '../src/container/memory-container.js';
import { load } from '../src/load/load.js';
import { withAsyncSide } from './support/async-source.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-silent-service-'));
afterAll(() => rmSync(base, { recursive: true }));

describe('a source with many calls in flight', () => {
  it('is not said to be silent while the service is', async () => {
    const source = join(base, 'small');
    mkdirSync(source);
    for (let n = 0; n < 40; n++) writeFileSync(join(source, `${n}`), `content ${n}`);
    const statePath = join(base, 'small-state');
    const container = new SilentContainer();
    const { status } = await load({
      source,
      destination: '/unused',
      statePath,
      stallWarningMs: 1500,
      internals: { container, wrapSource: (tree) => withAsyncSide(tree, () => sleep(2), true) },
    });
    expect({ status, blobs: container.blobs.size > 40 }).toEqual({ status: 'Completed', blobs: true });
    expect(readFileSync(join(statePath, 'clfsload.log'), 'utf8')).not.toContain('has not answered');
  });
});

/** Takes nothing for some seconds once it is to take the first entry. */
class SilentContainer extends MemoryContainer {
  #silence: Promise<void> | undefined;
  #isOver = false;

  override ready(): Promise<void> | undefined {
    if (this.#isOver) return undefined;
    this.#silence ??= sleep(5000).then(() => {
      this.#isOver = true;
    });
    return this.#silence;
  }
}
