import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeExactly } from '../text/exact-text.js';
import { stateIn } from './target-path.js';

it('keeps the states of two targets apart, whatever their names are', () => {
  const bytes = fc.constantFrom(0x5c, 0x78, 0x66, 0xff, 0x61, 0x0a, 0xc3, 0xa4);
  const name = fc.array(bytes, { minLength: 1, maxLength: 9 }).map((each) => Buffer.from(each));
  const unlike = (text: string) => fc.constant([Buffer.from(text, 'latin1'), Buffer.from('k\\xff')] as const);
  fc.assert(
    fc.property(fc.oneof(fc.tuple(name, name), unlike('k\xff')), ([one, other]) => {
      const [first, second] = [one, other].map((each) => stateIn('/d', decodeExactly(each)));
      expect(first === second).toBe(one.equals(other));
    }),
  );
  expect(stateIn('/d', 'name ä')).toBe('/d/.name ä.clfsload-export');
});
