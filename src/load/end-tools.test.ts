import { mkdtempSync, readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openLocalContainer } from '../container/local-container.js';
import { type EndTools, waitForLatePuts } from './end-tools.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-late-puts-'));
afterAll(() => rmSync(base, { recursive: true }));

/** @param untilMs until when something that was given up can take effect, on a clock that stands at 1000 */
async function toolsOf(untilMs: number, told: string[] = []): Promise<EndTools> {
  let ms = 1000;
  const clock = {
    monotonic: () => ms,
    sleep: async (delayMs: number) => {
      ms += delayMs;
    },
  };
  const work = { container: await openLocalContainer(base) };
  const { signal } = new AbortController();
  const report = (text: string) => void told.push(text);
  return { work, clock, signal, uncertainUntilMs: () => untilMs, report } as unknown as EndTools;
}

describe('the wait for late puts', () => {
  it.each([
    ['was lost, and is waited for', 5000, 0],
    ['was lost, and is waited for, but not for long', 2999, 0],
    ['was lost long ago', 500, 0],
    ['was not lost', 0, 1],
  ])('takes the temporary file of a put that %s', async (_, untilMs, left) => {
    const told: string[] = [];
    writeFileSync(join(base, '.clfsload-put-0123-4'), 'of a machine that is frozen');
    await waitForLatePuts(await toolsOf(untilMs, told));
    expect(readdirSync(base)).toHaveLength(left);
    expect(told).toEqual(
      untilMs > 3000 ? ['Waiting for 4 s: until then a put that was given up may still arrive.'] : [],
    );
  });

  it('leaves nothing to a machine that looked at its lease before, and wakes after', async () => {
    const { work } = await toolsOf(0);
    rmSync(join(base, '.clfsload-put-0123-4'), { force: true });
    const asleep = await openLocalContainer(base, {
      maySend() {
        const [temporary] = readdirSync(base);
        unlinkSync(join(base, temporary));
        return true;
      },
    });
    await expect(asleep.put('name', Buffer.from('late'))).rejects.toThrow('Cannot write "name"');
    expect(readdirSync(base)).toEqual([]);
    await Promise.all([asleep.close(), work.container.close()]);
  });
});
