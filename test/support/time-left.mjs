// Loads many files through the program from a service that takes a known number a second, kills it on the way and goes on,
// and judges what was said meanwhile against what came: the time left is right within a fifth from the tenth per cent on,
// and the per cent never falls, over the kills too. By the line of progress and by the page's metrics and status.
// npm run test:time-left FILES=200000 RATE=1000 KILLS=30,60
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { startPacedService } from './paced-service.mjs';

const FILES = Number(process.env.FILES ?? 200_000);
const RATE = Number(process.env.RATE ?? 1000);
/** Per cents at which the program is killed. */
const KILLS = (process.env.KILLS ?? '30,60').split(',').filter(Boolean).map(Number);
const FILES_IN_A_DIRECTORY = 1000;
const WITHIN = 0.2;
const FROM_PERMILLE = 100;
/** The end itself, with its log and its root, takes some seconds that nobody foretells. */
const RESOLUTION_S = 5;
/** How long a session may be silent about its end: it has to see how fast it goes. */
const SILENT_S = 20;
const BIN = new URL('../../bin/clfsload', import.meta.url).pathname;
/** By how much what was put in ten seconds may differ from the rate: else the machine was too busy to tell anything. */
const STEADY = 0.15;
const WINDOW_S = 10;
/** After the beginning of a session, and before its end. */
const WARM_UP_S = 6;
const TOKEN = 'time-left-is-looked-at';

/** `3 h 20 min` as seconds. */
function secondsOf(text) {
  const units = { s: 1, min: 60, h: 3600, d: 86_400 };
  return [...text.matchAll(/(\d+) (s|min|h|d)\b/g)].reduce((sum, [, amount, unit]) => sum + amount * units[unit], 0);
}

/** What one line of progress says; undefined where it is none. */
export function parseLine(line) {
  const [, percent, done, total] = /^[A-Z]\w+ {2}(?:([\d.]+) % {2})?(\d+) of (\d+) entries\b/.exec(line) ?? [];
  if (done === undefined) return undefined;
  const [, left] = / {2}((?:\d+ (?:s|min|h|d) ?)+)left\b/.exec(line) ?? [];
  return {
    permille: percent === undefined ? undefined : Math.round(10 * Number(percent)),
    done: Number(done),
    total: Number(total),
    left: left === undefined ? undefined : secondsOf(left),
  };
}

/** Runs the program on a terminal of 200 columns, until its end or until it is killed. */
async function runSession(args, killAt) {
  const command = [process.execPath, BIN, ...args].map((arg) => `'${arg}'`).join(' ');
  const child = spawn('script', ['-qfec', `stty cols 200; exec ${command}`, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, CLFSLOAD_PAGE_TOKEN: TOKEN },
  });
  const session = { lines: [], looks: [], text: '', endS: 0, killed: false, finalizeS: undefined };
  const ended = new Promise((resolve) => child.on('close', resolve));
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    session.text += text;
    rest += text;
    const parts = rest.split(/\r\n?|\n/);
    rest = parts.pop() ?? '';
    // A line of progress is complete when it is there: nothing comes behind it.
    for (const part of [...parts, rest]) {
      const now = performance.now() / 1000;
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
      const said = parseLine(part.replace(/\u001b\[\d*m/g, '').trimEnd());
      if (part.includes('Finalize phase')) session.finalizeS ??= now;
      const last = session.lines.at(-1);
      if (!said || (last && JSON.stringify(last.said) === JSON.stringify(said))) continue;
      session.lines.push({ s: now, said });
      if (killAt !== undefined && (said.permille ?? 0) >= killAt * 10 && !session.killed) {
        session.killed = true;
        session.endS = now;
        // "script" has the program as its only child, and hands no signal on.
        const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').trim().split(' ');
        for (const pid of children) process.kill(Number(pid), 'SIGKILL');
      }
    }
  });
  const looking = lookOn(session);
  await ended;
  if (!session.killed) session.endS = performance.now() / 1000;
  session.over = true;
  await looking;
  return session;
}

/** Asks the page of a session, once a second, what it says. */
async function lookOn(session) {
  for (; !session.over; await setTimeout(1000)) {
    const [, address] = /page of this job: (http:\/\/[\d.:]+)\//.exec(session.text) ?? [];
    if (!address) continue;
    try {
      const headers = { authorization: `Bearer ${TOKEN}` };
      const s = performance.now() / 1000;
      const [metrics, status] = await Promise.all(
        ['metrics', 'status.json'].map(async (path) => {
          const response = await fetch(`${address}/${path}`, { headers });
          return response.ok ? response.text() : '';
        }),
      );
      const metric = (name) => {
        const [, value] = new RegExp(`^clfsload_${name} (\\S+)$`, 'm').exec(metrics) ?? [];
        return value === undefined ? undefined : Number(value);
      };
      const { permille } = status === '' ? {} : JSON.parse(status);
      const ratio = metric('progress_ratio');
      session.looks.push({
        s,
        permille: ratio === undefined ? undefined : Math.round(1000 * ratio),
        recorded: permille === 0 ? undefined : permille,
        done: metric('entries_done') ?? 0,
        counters: ['requests', 'retries', 'throttled', 'worked_seconds'].map((name) => [name, metric(`${name}_total`)]),
        left: metric('left_seconds'),
      });
    } catch {
      // It was killed meanwhile, or has ended.
    }
  }
}

/** Seconds of work from a moment in a session to the end of the job, without the time between sessions. */
function truthAt(sessions, index, s) {
  let truth = sessions[index].endS - s;
  for (let at = index; at < sessions.length - 1; at++) {
    const doneThen = Math.max(0, ...sessions[at].lines.map(({ said }) => said.done));
    // What a kill made the next session do again is its own.
    const next = sessions[at + 1];
    const from = next.lines.find(({ said }) => said.done >= doneThen) ?? next.lines[0];
    truth += next.endS - from.s;
  }
  return truth;
}

/** Whether the service was kept busy: where it was not, the rate was that of the program on this machine. */
function unsteady(sessions, history) {
  return sessions.flatMap(({ lines, endS, finalizeS = endS }) => {
    const own = history.filter(({ s }) => s > lines[0].s + WARM_UP_S && s < finalizeS - 1);
    return own.flatMap(({ s, answered }, at) => {
      const before = own.findLast((earlier, index) => index < at && s - earlier.s >= WINDOW_S);
      const rate = before && (answered - before.answered) / (s - before.s);
      return rate !== undefined && Math.abs(rate / RATE - 1) > STEADY
        ? [`${rate.toFixed(0)}/s at ${s.toFixed(0)} s`]
        : [];
    });
  });
}

/** Judges what was said. @returns complaints */
function judge(sessions) {
  const wrong = [];
  const complain = (text) => wrong.push(text);
  const never = new Map();
  let worst = 0;
  let judged = 0;
  const notFalling = (what, value, s) => {
    if (value === undefined) return;
    const before = never.get(what) ?? 0;
    if (value < before) complain(`${what} fell from ${before} to ${value} at ${s.toFixed(1)} s`);
    never.set(what, Math.max(before, value));
  };
  const right = (what, { permille, left }, s, index, begunS) => {
    if ((permille ?? 0) < FROM_PERMILLE) return;
    if (left === undefined) {
      if (s - begunS > SILENT_S)
        complain(
          `${what} says no time left at ${permille / 10} %, ${(s - begunS).toFixed(0)} s after the beginning of its session`,
        );
      return;
    }
    const truth = truthAt(sessions, index, s);
    const off = Math.abs(left - truth);
    judged++;
    if (off > RESOLUTION_S) worst = Math.max(worst, off / truth);
    if (off > Math.max(RESOLUTION_S, WITHIN * truth))
      complain(`${what} says ${left.toFixed(0)} s left at ${permille / 10} %, in truth ${truth.toFixed(1)} s`);
  };
  for (const [index, { lines, looks }] of sessions.entries()) {
    const begunS = lines[0]?.s ?? 0;
    for (const { s, said } of lines) {
      notFalling('thousandths of the line', said.permille, s);
      right('the line', said, s, index, begunS);
    }
    for (const look of looks) {
      notFalling('thousandths of the page', look.permille, look.s);
      notFalling('thousandths of the status', look.recorded, look.s);
      for (const [name, value] of look.counters) notFalling(`the counter ${name}`, value, look.s);
      right('the page', look, look.s, index, begunS);
    }
  }
  return { wrong, worst, judged };
}

const base = mkdtempSync(join(process.env.TMPDIR ?? tmpdir(), 'clfs-time-left-'));
const service = await startPacedService(RATE);
try {
  const source = join(base, 'source');
  for (let file = 0; file < FILES; file++) {
    const directory = join(source, `d${Math.floor(file / FILES_IN_A_DIRECTORY)}`);
    if (file % FILES_IN_A_DIRECTORY === 0) mkdirSync(directory, { recursive: true });
    // Sizes as they are: many small ones, and some of the hundredfold.
    writeFileSync(join(directory, `f${file}`), Buffer.alloc(100 + (file % 97 === 0 ? 20_000 : (file * 37) % 400), 'x'));
  }
  const state = join(base, 'state');
  const more = ['--late-arrival=1s', '--page'];
  const sessions = [];
  const begun = performance.now();
  for (const killAt of [...KILLS, undefined]) {
    const args =
      sessions.length === 0
        ? ['load', source, service.url, `--state-path=${state}`, ...more]
        : ['resume', state, service.url, ...more];
    const session = await runSession(args, killAt);
    sessions.push(session);
    if (killAt !== undefined && !session.killed)
      throw new Error(`It ended before ${killAt} %:\n${session.text.slice(-2000)}`);
  }
  const last = sessions[sessions.length - 1];
  if (!last.text.includes('Final Job Status: Completed'))
    throw new Error(`It did not complete:\n${last.text.slice(-3000)}`);
  const { wrong, worst, judged } = judge(sessions);
  const seconds = (performance.now() - begun) / 1000;
  console.log(
    `${FILES} files at ${RATE}/s, ${service.blobs} blobs, killed at ${KILLS.join(', ')} %: ${seconds.toFixed(0)} s, of which ${(last.endS - (last.finalizeS ?? last.endS)).toFixed(1)} s after the last file; ${judged} forecasts, the worst off by ${(100 * worst).toFixed(0)} %`,
  );
  if (process.env.VERBOSE)
    for (const [index, { lines }] of sessions.entries())
      for (const { s, said } of lines)
        console.log(index, s.toFixed(1), said.permille, said.done, said.left, truthAt(sessions, index, s).toFixed(1));
  for (const text of wrong.slice(0, 30)) console.log(`SHORT: ${text}`);
  // What says nothing is not right either.
  if (judged < 20) console.log(`SHORT: only ${judged} forecasts were made`);
  // What is right all the same is right.
  const slow = wrong.length === 0 ? [] : unsteady(sessions, service.history);
  if (slow.length > 0)
    console.log(
      `The rate was not constant on this machine, and nothing can be told of forecasts: ${slow.slice(0, 5).join(', ')} in place of ${RATE}/s. Set RATE lower.`,
    );
  process.exitCode = slow.length > 0 ? 2 : wrong.length > 0 || judged < 20 ? 1 : 0;
} finally {
  service.close();
  rmSync(base, { recursive: true, force: true });
}
