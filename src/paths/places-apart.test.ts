import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { refusal } from '../../test/support/samples.js';
import { namedPlace, requireApart, requireNotInside } from './places-apart.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-places-unit-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const place = (name: string) => join(base, name);
const quoted = (path: string) => JSON.stringify(path);

it('two places are apart, or refused where one is in the other, by whatever name', async () => {
  const [one, link] = [place('one'), place('link')];
  mkdirSync(join(one, 'inner'), { recursive: true });
  symlinkSync(one, link);
  const apart = async (first: string | Uint8Array, second: string) => {
    const [source, state] = [await namedPlace('source', first), await namedPlace('state', second)];
    return () => requireApart(source, state);
  };
  expect(await apart(one, `${one}x`)).not.toThrow();
  expect(await apart(one, join(base, 'other'))).not.toThrow();
  expect(refusal(await apart(one, join(link, 'inner', 'not there')))).toBe(
    `usage: The state ${quoted(join(one, 'inner', 'not there'))} is inside the source ${quoted(one)}. Keep them apart.`,
  );
  expect(refusal(await apart(Buffer.from(join(link, 'inner')), one))).toContain('is inside the state');
  expect(refusal(await apart(one, link))).toBe(
    `usage: The source and the state are both ${quoted(one)}. Keep them apart.`,
  );
  const [source, root] = [await namedPlace('source', one), await namedPlace('root', '/')];
  expect(refusal(() => requireNotInside(source, root))).toContain('is inside the root "/"');
  expect(() => requireNotInside(root, source)).not.toThrow();
});
