import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpilledSet } from '../spill/spilled-set.js';
import { LinkBook } from './link-book.js';

const id = (number: number) => Buffer.alloc(24, number);

describe('a book of links', () => {
  it('has of each inode that was begun what refers to it, whatever came first', () => {
    const reference = fc.record({ to: fc.nat(5), from: fc.nat(3), named: fc.boolean() });
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(5)), fc.array(reference), fc.boolean(), (begun, references, first) => {
        const book = new LinkBook(new SpilledSet());
        const begin = () => {
          for (const number of begun)
            book.begin({
              id: id(number),
              path: Buffer.from(`at/${number}`),
              name: `name ${number}`,
              backPointers: [id(100), id(number)].slice(number % 3),
            });
        };
        if (first) begin();
        for (const { to, from, named } of references) book.refer(id(to), id(from), named);
        if (!first) begin();
        for (let number = 0; number <= 5; number++) expect(book.has(id(number))).toBe(begun.includes(number));
        const tallies = Array.from(book.tallies(), (tally) => ({
          ...tally,
          id: tally.id[0],
          path: Buffer.from(tally.path).toString(),
          backPointers: tally.backPointers.map(([byte]) => byte),
          referrers: tally.referrers.map(([byte]) => byte),
        }));
        const of = (number: number) => references.filter(({ to }) => to === number);
        expect(tallies).toEqual(
          [...begun]
            .sort((a, b) => a - b)
            .map((number) => ({
              id: number,
              path: `at/${number}`,
              name: `name ${number}`,
              backPointers: [100, number].slice(number % 3),
              referrers: of(number).map(({ from }) => from),
              named: of(number).some(({ named }) => named),
            })),
        );
        book.close();
      }),
    );
  });
});
