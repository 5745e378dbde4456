import { describe, expect, it } from 'vitest';
import { permilleOf } from './figures.js';
import { StatusLine } from './status-line.js';

function screen(isTTY: boolean, columns = 80) {
  let text = '';
  let now = 0;
  const stream = { isTTY, columns, write: (more: string) => (text += more) };
  const line = new StatusLine(stream, () => now);
  return {
    line,
    stream,
    text: () => text,
    at(seconds: number, done: number, total?: number, label = 'Walking') {
      now = seconds * 1000;
      line.show(() => ({ label, unit: 'entries', done, total, permille: permilleOf(done, total) }));
    },
  };
}

describe('progress on a terminal', () => {
  it('comes after a second, is rewritten, and is erased before anything else', () => {
    const { line, text, at } = screen(true);
    at(0, 1, 100);
    at(0.5, 5, 100);
    expect(text()).toBe('');
    at(1, 10, 100);
    at(1.5, 11, 100);
    at(2, 99, 100, 'W');
    line.clear();
    line.clear();
    expect(text()).toBe(
      `\rWalking  10.0 %  10 of 100 entries  9/s\rW  99.0 %  99 of 100 entries  0/s${' '.repeat(6)}\r${' '.repeat(33)}\r`,
    );
  });

  it('the share never falls within one work, and begins anew with the next', () => {
    const { text, at } = screen(true);
    at(1, 50, 100);
    at(2, 40, 100);
    at(3, 1, 100, 'Checking');
    expect(text().match(/[\d.]+ %/g)).toEqual(['50.0 %', '50.0 %', '1.0 %']);
  });

  it('is never 100 % before the end', () => {
    expect(permilleOf(100, 100)).toBe(999);
    expect(permilleOf(0, 0)).toBe(0);
    expect(permilleOf(5, undefined)).toBeUndefined();
  });
});

describe('progress elsewhere', () => {
  it('is a line every half minute, every two minutes after an hour', () => {
    const { line, text, at } = screen(false);
    for (let second = 0; second <= 3600 + 630; second++) at(second, second, 10_000);
    line.clear();
    const lines = text().trimEnd().split('\n');
    expect(lines.length).toBe(119 + 5);
    expect(lines[0]).toBe('Walking  0.3 %  30 of 10000 entries  1/s  2 h 46 min left');
  });
});
