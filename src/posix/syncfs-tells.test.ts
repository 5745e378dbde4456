import { expect, it } from 'vitest';
import { syncfsTells } from './syncfs-tells.js';

it.each([
  ['4.18.0-553.el8_10.x86_64', false],
  ['5.4.0-150-generic', false],
  ['5.7.19', false],
  ['5.8.0-63-generic', true],
  ['5.14.0-427.el9', true],
  ['6.1-rc1', true],
  ['something', true],
])('syncfs of Linux %s tells of bytes that could not be written: %s', (kernel, tells) => {
  expect(syncfsTells(kernel)).toBe(tells);
});
