import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { LiveUpdates } from './live-updates.js';
import { nothingYet } from './nothing-yet.js';

/** Somebody who looks on, and what came. */
class Onlooker extends EventEmitter {
  readonly sent: string[] = [];
  writableLength = 0;

  write(text: string): void {
    this.sent.push(text);
  }

  end(text: string): void {
    this.sent.push(text);
  }

  get events(): object[] {
    return this.sent.flatMap((text) => (text.startsWith('data: ') ? [JSON.parse(text.slice(6)) as object] : []));
  }
}

const model = nothingYet('1.0.0', []);
const joined = (updates: LiveUpdates) => {
  const onlooker = new Onlooker();
  updates.add(onlooker as unknown as ServerResponse);
  return onlooker;
};

describe('who looks on', () => {
  it('is told all first, and then what has changed', () => {
    const updates = new LiveUpdates();
    const first = joined(updates);
    updates.tell({
      ...model,
      series: [
        [1, 2],
        [3, 4],
      ],
    });
    expect(Object.keys(first.events[0])).toEqual(['job', 'now', 'census', 'failures', 'workers', 'log', 'series']);
    updates.tell({
      ...model,
      series: [
        [1, 2],
        [3, 5],
        [6, 7],
      ],
    });
    expect(first.events[1]).toEqual({
      series: {
        from: 1,
        rows: [
          [3, 5],
          [6, 7],
        ],
      },
    });
    const second = joined(updates);
    updates.tell({ ...model, log: ['a line'], series: [[8, 9]] });
    expect(first.events[2]).toEqual({ log: ['a line'], series: { from: 0, rows: [[8, 9]] } });
    expect(second.events[0]).toMatchObject({ job: model.job, log: ['a line'], series: { from: 0, rows: [[8, 9]] } });
    updates.tell({ ...model, log: ['a line'], series: [[8, 9]] });
    expect(first.sent.at(-1)).toBe(': still here\n\n');
    updates.tell({ ...model, log: ['a line'], series: [] });
    expect(first.events[3]).toEqual({ series: { from: 0, rows: [] } });
  });

  it('is told of a past that is empty, so that none of another program stays', () => {
    const updates = new LiveUpdates();
    const onlooker = joined(updates);
    updates.tell(model);
    expect(onlooker.events).toEqual([{ ...model, series: { from: 0, rows: [] } }]);
  });

  it('and reads slowly, is told later, and misses nothing', () => {
    const updates = new LiveUpdates();
    const slow = joined(updates);
    updates.tell(model);
    slow.writableLength = 1e9;
    updates.tell({ ...model, log: ['a'] });
    slow.writableLength = 0;
    updates.tell({ ...model, log: ['a'], series: [[1]] });
    expect(slow.events.slice(1)).toEqual([{ log: ['a'], series: { from: 0, rows: [[1]] } }]);
  });

  it('is forgotten when he goes', () => {
    const updates = new LiveUpdates();
    joined(updates).emit('close');
    expect(updates.count).toBe(0);
    const other = joined(updates);
    updates.end();
    expect(other.sent.at(-1)).toBe('event: end\ndata: {}\n\n');
  });
});
