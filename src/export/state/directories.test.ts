import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExportRecord } from './export-record.js';
import { ExportState } from './export-state.js';
import { ROOT_DIRECTORY } from './schema.js';

const name = (text: string) => Buffer.from(text);
const handleOf = (number: number) => Buffer.alloc(16, number);

let state: ExportState;

beforeEach(() => {
  state = ExportState.create(':memory:', { sessions: 1 } as ExportRecord, 'DELETE', {}, ({ directories }) =>
    directories.addRoot(handleOf(1), false),
  );
});
afterEach(() => state.close());

/** Number of a directory that is claimed now, by its handle. */
function claimed(handle: number): number {
  const found = state.directories.claim(100).find((each) => handleOf(handle).equals(each.handle));
  if (!found) throw new Error(`The directory ${handle} is not to be read.`);
  return found.id;
}

function pathOf(id: number): string {
  const { parent, name: last } = state.directories.get(id);
  return parent === 0 ? '' : `${pathOf(parent)}/${Buffer.from(last).toString()}`;
}

/** Where left-overs are looked for. */
function sweptPaths(): string[] {
  const paths: string[] = [];
  for (let id = state.leftovers.next(0); id !== undefined; id = state.leftovers.next(id)) paths.push(pathOf(id));
  return paths.sort();
}

describe('directories of an export that begins anew', () => {
  it('that are found at another place have their left-overs looked for where they were', () => {
    const { directories, leftovers } = state;
    directories.claim(1);
    directories.found(ROOT_DIRECTORY, name('old'), handleOf(2));
    const above = claimed(2);
    directories.found(above, name('below'), handleOf(3));
    const below = claimed(3);
    for (const id of [above, below]) leftovers.add(id);
    state.transact(() => state.beginAnew({}));

    expect(directories.found(ROOT_DIRECTORY, name('new'), handleOf(2))).toBe(true);
    const again = claimed(2);
    expect(directories.found(again, name('below'), handleOf(3))).toBe(true);
    expect(pathOf(claimed(3))).toBe('/new/below');
    expect(sweptPaths()).toEqual(expect.arrayContaining(['/old', '/old/below']));
    expect(directories.found(ROOT_DIRECTORY, name('elsewhere'), handleOf(2)), 'it is in the tree once').toBe(false);
  });

  it('that are found where they were stay what they are', () => {
    const { directories } = state;
    directories.claim(1);
    directories.found(ROOT_DIRECTORY, name('same'), handleOf(2));
    const before = claimed(2);
    state.transact(() => state.beginAnew({}));
    expect(directories.found(ROOT_DIRECTORY, name('same'), handleOf(2))).toBe(true);
    expect(claimed(2)).toBe(before);
  });
});

describe('the nearest directory in which something is done', () => {
  it('is that of the state, whatever was asked before', () => {
    const { directories } = state;
    const ids = [ROOT_DIRECTORY];
    for (let depth = 0; depth < 4; depth++) {
      directories.claim(1);
      directories.found(ids[depth], name('d'), handleOf(10 + depth));
      ids.push(claimed(10 + depth));
    }
    const nearest = () => ids.map((id) => directories.nearestFilled(id));
    expect(nearest()).toEqual(ids.map(() => undefined));
    state.transact(() => directories.setFilled(ids[1]));
    expect(nearest()).toEqual([ids[0], ids[1], ids[1], ids[1], ids[1]]);
    expect(() =>
      state.transact(() => {
        directories.setFilled(ids[3]);
        expect(nearest()).toEqual([ids[0], ids[1], ids[2], ids[3], ids[3]]);
        throw new Error('it is undone');
      }),
    ).toThrow('undone');
    expect(nearest()).toEqual([ids[0], ids[1], ids[1], ids[1], ids[1]]);
    state.transact(() => state.beginAnew({}));
    expect(nearest()).toEqual(ids.map(() => undefined));
  });
});
