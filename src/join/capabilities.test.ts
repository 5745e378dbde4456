import { expect, it } from 'vitest';
import { lackingCapability, parseCapabilities } from './capabilities.js';

const ALL = parseCapabilities('Name:\tnode\nCapEff:\t000001ffffffffff\n') ?? 0;
/** What containers have by default. */
const CONTAINER = parseCapabilities('CapEff:\t00000000a80425fb\n') ?? 0;
const NONE = parseCapabilities('CapEff:\t0000000000000000\n') ?? -1;

it('rights to files of others are found, and compared by what they are for', () => {
  expect([ALL, NONE]).toEqual([15, 0]);
  expect(parseCapabilities('Name:\tnode\n')).toBeUndefined();
  for (const writes of [false, true]) {
    expect(lackingCapability(CONTAINER, ALL, writes)).toBeUndefined();
    expect(lackingCapability(ALL, NONE, writes)).toBeUndefined();
    expect(lackingCapability(NONE, NONE, writes)).toBeUndefined();
    expect(lackingCapability(NONE, CONTAINER, writes)).toContain('CAP_DAC_READ_SEARCH');
  }
  const [onlyReads, noOwners, noModes] = [4, 14, 7];
  expect(lackingCapability(onlyReads, ALL, false)).toBeUndefined();
  expect(lackingCapability(onlyReads, ALL, true)).toContain('CAP_DAC_OVERRIDE');
  expect(lackingCapability(noOwners, ALL, true)).toContain('CAP_CHOWN');
  expect(lackingCapability(noModes, ALL, true)).toContain('CAP_FOWNER');
});
