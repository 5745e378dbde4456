import type { Expectation, ExpectedDirectory } from '../../src/audit/expectation.js';
import { type VerifyOptions, type VerifySummary, verify } from '../../src/audit/verify.js';
import type { MemoryContainer } from '../../src/container/memory-container.js';
import { escapePath } from '../../src/text/escape-path.js';
import { readSmall } from './small-container.js';

/** How a container in the small geometry compares with what it should hold: what is not the same, as sorted lines. */
export async function compareSmall(
  container: MemoryContainer,
  expectation: Expectation,
  options: Partial<VerifyOptions> = {},
): Promise<{ readonly lines: readonly string[]; readonly summary: VerifySummary }> {
  const lines: string[] = [];
  const all = { content: true, sample: 1, timeToleranceNs: 0n, ...options };
  const summary = await verify(expectation, await readSmall(container), all, ({ mark, path, details }) => {
    const shown = path.length === 0 ? '.' : escapePath(path);
    if (mark !== '=') lines.push([mark, shown, ...(details.length > 0 ? [details.join(', ')] : [])].join(' '));
  });
  const hidden = lines.map((line) =>
    line.replace(/[0-9A-F]{16}_[0-9A-F]{32,48}\.[0-9A-F.]+/g, 'BLOB').replace(/[0-9A-F]{32,48}/g, 'ID'),
  );
  return { lines: hidden.sort(), summary };
}

/** An expectation of which some calls are answered otherwise. */
export function changed(
  expectation: Expectation,
  change: (directory: ExpectedDirectory, path: string) => Partial<ExpectedDirectory>,
): Expectation {
  return {
    ...expectation,
    async directory(path) {
      const directory = await expectation.directory(path);
      try {
        return {
          self: directory.self,
          names: () => directory.names(),
          entry: (name) => directory.entry(name),
          content: (name) => directory.content(name),
          close: () => directory.close(),
          ...change(directory, path.toString()),
        };
      } catch (error) {
        directory.close();
        throw error;
      }
    },
  };
}
