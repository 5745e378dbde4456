import { expect, it } from 'vitest';
import { ownGroups, whyNotGroups } from './groups.js';

/** Numbers of `capabilities.ts`: overrides permissions, only for reading; and sees whom all files belong to. */
const [OVERRIDE, READ_SEARCH, ALL_OWNERS] = [2, 4, 16];
const DRIVER = { gid: 2000, groups: [100, 2000, 300] };

it('a worker without a group of its driver is refused, as far as it may not use the files of everybody anyway', () => {
  const lacks = (capabilities: number | undefined, use: 'read' | 'write', gid = 1000) =>
    whyNotGroups({ gid, groups: [100], capabilities }, DRIVER, use);
  expect(lacks(0, 'read')).toBe(
    'it lacks groups 300, 2000 of the driver: what that may use by them fails there; run it with the same groups',
  );
  expect(lacks(undefined, 'read')).toContain('300, 2000');
  for (const right of [OVERRIDE, READ_SEARCH]) {
    expect(lacks(right | ALL_OWNERS, 'read')).toBeUndefined();
    // In a user namespace it holds for some files.
    expect(lacks(right, 'read')).toContain('300, 2000');
  }
  expect(lacks(READ_SEARCH | ALL_OWNERS, 'write', 2000)).toContain('it lacks group 300 of the driver');
  expect(lacks(OVERRIDE | ALL_OWNERS, 'write', 2000)).toBeUndefined();
});

it('what makes files has the group of its driver, whatever it may do', () => {
  const worker = { gid: 100, groups: [100, 300, 2000], capabilities: OVERRIDE | ALL_OWNERS };
  expect(whyNotGroups(worker, DRIVER, 'write')).toMatch(/^its group is 100, the driver's 2000: /);
  expect(whyNotGroups(worker, DRIVER, 'read')).toBeUndefined();
});

it('a worker may have more groups, in any order and with its own one left out or not', () => {
  const capabilities = 0;
  for (const groups of [[300, 100], [2000, 300, 100, 7], DRIVER.groups])
    expect(whyNotGroups({ gid: 2000, groups, capabilities }, DRIVER, 'write')).toBeUndefined();
  expect(whyNotGroups({ gid: 7, groups: [2000, 300, 100], capabilities }, DRIVER, 'read')).toBeUndefined();
});

it('what is not known is not compared', () => {
  expect(whyNotGroups({ capabilities: 0 }, DRIVER, 'read')).toBeUndefined();
  expect(whyNotGroups({ gid: 7, groups: [], capabilities: 0 }, {}, 'write')).toBeUndefined();
  expect(ownGroups()).toEqual({ gid: process.getegid?.(), groups: process.getgroups?.() });
});
