import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RecordedModel } from '../src/page/recorded-model.js';
import type { JobPulse } from '../src/state/job-pulse.js';
import { JobState } from '../src/state/job-state.js';
import { claimNewState } from '../src/state/state-directory.js';
import { RECORD } from './support/empty-state.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-page-figures-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const PULSE: JobPulse = {
  phase: 'Transfer',
  elapsedMs: 60_000,
  total: 1000,
  bytesTotal: 0,
  requests: 100,
  retries: 0,
  throttled: 0,
  bytesOnWire: 0,
  inFlight: 8,
  limit: 16,
  lanes: 2,
  mostLanes: 2,
  waitingSinceMs: 0,
  census: { types: [], sizes: [], directories: [] },
};

describe('the figures of a job that runs', () => {
  it('say that nothing is done while the service does not answer, and go on as before when it does', () => {
    const directory = claimNewState(join(base, 'state'));
    let nowMs = 1_700_000_000_000;
    const state = JobState.create(directory.databasePath, { ...RECORD, sessions: 1 }, 1001, directory.journal, {
      now: () => nowMs,
    });
    let [done, waitingSinceMs] = [0, 0];
    state.series.begin(() => ({
      session: 1,
      counts: { entries: done, bytes: 0, requests: done, retries: 0, throttled: 0 },
      levels: { inFlight: 8, lanes: 2, workers: 0, sourceCalls: 0 },
      pulse: () => ({ ...PULSE, waitingSinceMs }),
    }));
    const model = new RecordedModel(directory.path);
    /** Lets so many seconds go by. */
    const work = (seconds: number, perSecond: number) => {
      for (let second = 0; second < seconds; second++) {
        nowMs += 1000;
        done += perSecond;
        state.series.due();
        state.transact(() => state.count(perSecond, 0));
      }
      return model.look(nowMs).now;
    };
    work(10, 10);
    const before = work(10, 10);
    expect(before.entriesPerSecond).toBeCloseTo(10, 0);
    expect(before.secondsLeft).toBeCloseTo(80, -1);
    waitingSinceMs = nowMs;
    const away = work(120, 0);
    expect(away).toMatchObject({ entriesPerSecond: 0, bytesPerSecond: 0, waitingSinceMs });
    expect(away).not.toHaveProperty('secondsLeft');
    waitingSinceMs = 0;
    const after = work(1, 10);
    expect(after.entriesPerSecond).toBeGreaterThan(0);
    state.close();
    directory.release();
  });
});

/** Colours of a style sheet by their names, in light and in dark. */
function palettes(): readonly Readonly<Record<string, string>>[] {
  const css = readFileSync(new URL('../page/page.css', import.meta.url), 'utf8');
  return Array.from(css.matchAll(/:root \{([^}]*)\}/g), ([, block]) =>
    Object.fromEntries(
      Array.from(block.matchAll(/--([a-z-]+): (#[0-9a-f]{6})/g), ([, name, colour]) => [name, colour]),
    ),
  );
}

/** Contrast of two colours. Source: WCAG 2.2, "contrast ratio" and "relative luminance" */
function contrast(first: string, second: string): number {
  const luminance = (colour: string) => {
    const [r, g, b] = [1, 3, 5]
      .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [low, high] = [luminance(first), luminance(second)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

it('every text of the page has the contrast that WCAG asks for, in light and in dark', () => {
  const all = palettes();
  expect(all.length).toBe(2);
  const texts = [
    ...['text', 'soft'].flatMap((text) => ['back', 'card'].map((back) => [text, back])),
    ...['one', 'two', 'good', 'warn', 'bad'].map((text) => [text, 'card']),
    ...['good', 'warn', 'bad'].map((text) => [text, `${text}-back`]),
    ...['one', 'text'].map((text) => [text, 'busy-back']),
  ];
  const [light, dark] = all;
  for (const palette of [light, { ...light, ...dark }])
    for (const [text, back] of texts)
      expect(contrast(palette[text], palette[back]), `${text} on ${back}`).toBeGreaterThanOrEqual(4.5);
});
