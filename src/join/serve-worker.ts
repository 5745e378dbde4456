import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { LANE_UNITS } from '../engine/engine.js';
import { messageOf } from '../error.js';
import type { WorkerLink } from '../remote/link.js';
import { Member } from '../remote/member.js';
import { type Candidate, decode, encode, PROTOCOL, type Welcome, WIRE_FORMAT } from '../remote/messages.js';
import { natsOptions } from '../remote/nats-options.js';
import { systemClock } from '../time/clock.js';
import { VERSION } from '../version.js';
import type { RemoteLoadSetup } from '../worker/remote-setup.js';
import type { LoadKinds } from '../worker/tasks.js';
import { openMemberLanes } from './member-lanes.js';
import type { WorkerOptions } from './worker-options.js';

const APPLY_MS = 2000;
const AGAIN_MS = 500;
const AFTER_REFUSAL_MS = 2000;
const AFTER_TROUBLE_MS = 5000;
/** How long it is tried to tell a driver that this worker has gone. */
const FAREWELLS = 3;

/**
 * Takes part in the jobs of drivers at a server, one after another, until `signal` is aborted; waits while there is none.
 *
 * @throws ClfsError `usage`; `workers` when the server refuses this worker
 */
export async function serveWorker(options: WorkerOptions): Promise<void> {
  const server = natsOptions(options.join);
  const { openNatsWorker } = await import('../remote/nats-worker.js');
  const name = `${hostname()}/${process.pid}`;
  options.report(`Worker ${name}: waiting for a job at ${options.join}.`);
  const link = await openNatsWorker(server, `clfsload worker ${name}`);
  try {
    await serveJobs(link, name, options);
  } finally {
    await link.close();
  }
}

async function serveJobs(link: WorkerLink, name: string, options: WorkerOptions): Promise<void> {
  const { signal, report } = options;
  /** Drivers that this worker is not for. */
  const refused = new Set<string>();
  const sleep = (delayMs: number) => systemClock.sleep(delayMs, signal);
  while (!signal.aborted) {
    const worker = randomUUID();
    const answer = await link.apply(Buffer.from(JSON.stringify(candidateOf(worker, name, options.threads))), APPLY_MS);
    if (!answer) {
      await sleep(AGAIN_MS);
      continue;
    }
    const welcome = JSON.parse(Buffer.from(answer).toString()) as Welcome;
    const { epoch } = welcome;
    if ('refused' in welcome && !refused.has(epoch))
      report(`The driver of job ${epoch} refuses this worker: ${welcome.refused}.`);
    if ('refused' in welcome) refused.add(epoch);
    if (refused.has(epoch) || 'refused' in welcome) {
      await sleep(AFTER_REFUSAL_MS);
      continue;
    }
    const setup = decode<RemoteLoadSetup>(Buffer.from(welcome.setup, 'base64'));
    const leave = async (reason: string, suspect: boolean) => {
      const question = encode({ say: 'leave', worker, reason, suspect });
      for (let tries = 0; tries < FAREWELLS; tries++) if (await link.ask(epoch, question, APPLY_MS)) return;
    };
    let lanes: Awaited<ReturnType<typeof openMemberLanes>>;
    try {
      lanes = await openMemberLanes(setup, options);
    } catch (error) {
      refused.add(epoch);
      report(`This worker cannot take part in job ${epoch}: ${messageOf(error)}`);
      await leave(messageOf(error), false);
      continue;
    }
    report(`Worker ${name}: takes part in job ${epoch}.`);
    const member = new Member<LoadKinds>({
      link,
      clock: systemClock,
      epoch,
      worker,
      leaseMs: welcome.leaseMs,
      laneUnits: LANE_UNITS,
      signal,
      ...lanes,
    });
    const end = await member.run();
    // Whatever is under way ends with its thread.
    await lanes.close();
    report(`Worker ${name}: no more in job ${epoch}: ${end.text}.`);
    if (end.why === 'over') continue;
    await leave(end.text, end.why === 'broken');
    if (end.why === 'broken' || end.why === 'stuck') await sleep(AFTER_TROUBLE_MS);
  }
}

function candidateOf(worker: string, name: string, lanes: number): Candidate {
  return {
    protocol: PROTOCOL,
    wire: WIRE_FORMAT,
    version: VERSION,
    worker,
    name,
    lanes,
    user: process.geteuid?.() ?? 0,
    clockMs: Date.now(),
  };
}
