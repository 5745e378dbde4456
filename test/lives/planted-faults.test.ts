import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { PLANTED_FAULTS } from './planted-faults.mjs';

it.each(PLANTED_FAULTS.map((fault) => [fault.name, fault] as const))('can be planted: %s', (_, fault) => {
  const { file, find, replace, count = 1, test } = fault;
  expect(readFileSync(file, 'utf8').split(find).length - 1).toBe(count);
  expect(replace).not.toBe(find);
  if (test !== undefined) expect(existsSync(test)).toBe(true);
});
