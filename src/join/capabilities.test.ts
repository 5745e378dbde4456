import { expect, it } from 'vitest';
import { hasAllOwners, lackingCapability, parseCapabilities } from './capabilities.js';

const ALL = parseCapabilities('Name:\tnode\nCapEff:\t000001ffffffffff\n') ?? 0;
/** What containers have by default. */
const CONTAINER = parseCapabilities('CapEff:\t00000000a80425fb\n') ?? 0;
const NONE = parseCapabilities('CapEff:\t0000000000000000\n') ?? -1;

it('rights to files of others are found, and compared by what they are for', () => {
  expect([ALL, NONE]).toEqual([15, 0]);
  expect(parseCapabilities('Name:\tnode\n')).toBeUndefined();
  for (const use of ['blobs', 'read', 'write'] as const) {
    expect(lackingCapability(CONTAINER, ALL, use)).toBeUndefined();
    expect(lackingCapability(ALL, NONE, use)).toBeUndefined();
    expect(lackingCapability(NONE, NONE, use)).toBeUndefined();
    expect(lackingCapability(NONE, CONTAINER, use)).toContain('CAP_DAC_READ_SEARCH');
  }
  const [onlyReads, noOwners, noModes] = [4, 14, 7];
  expect(lackingCapability(onlyReads, ALL, 'read')).toBeUndefined();
  expect(lackingCapability(onlyReads, ALL, 'write')).toContain('CAP_DAC_OVERRIDE');
  expect(lackingCapability(noOwners, ALL, 'write')).toContain('CAP_CHOWN');
  expect(lackingCapability(noModes, ALL, 'write')).toContain('CAP_FOWNER');
});

it('who does not see whom all files belong to, as in a user namespace, lacks that', () => {
  expect(hasAllOwners('         0          0 4294967295\n')).toBe(true);
  expect(hasAllOwners('0 0 1000\n1000 100000 4294966295\n')).toBe(true);
  expect(hasAllOwners(undefined)).toBe(true);
  for (const map of ['', '         0          0          1\n', '0 1000 1\n1 100000 65536\n'])
    expect(hasAllOwners(map)).toBe(false);
  const seesAll = 16;
  for (const use of ['read', 'write'] as const) {
    expect(lackingCapability(ALL, ALL | seesAll, use)).toContain('user namespace');
    expect(lackingCapability(ALL | seesAll, ALL, use)).toBeUndefined();
    expect(lackingCapability(seesAll, seesAll, use)).toBeUndefined();
  }
  expect(lackingCapability(ALL, ALL | seesAll, 'blobs')).toBeUndefined();
});
