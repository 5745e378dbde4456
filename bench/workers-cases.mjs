// Several machines, as far as one can show: workers as processes, a nats-server, and the sink.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixture, fourfold, here, median, PORT, rounds, sink, smallFiles, url, work } from './harness.mjs';
import { bundleProgram } from '../test/support/bundle-program.mjs';
import { withSlowFileSystem } from './slow-cases.mjs';

const NATS_PORT = 10290;
const SERVER = `nats://127.0.0.1:${NATS_PORT}`;
const nullUrl = `http://127.0.0.1:${PORT}/null/bench?sv=2021-12-02&sr=c&sp=racwdl&sig=c2luaw%3D%3D`;
const program = join(here, '../bin/clfsload');
const TICKS_A_SECOND = 100;

/** A process that runs, what it says, and what it costs. */
function start(args, env = {}) {
  const child = spawn(args[0], args.slice(1), { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const running = { child, output: '', ended: new Promise((resolve) => child.on('close', resolve)) };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (running.output += text));
  return running;
}
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
async function said(running, what) {
  while (!what.test(running.output)) {
    if (running.child.exitCode !== null) throw new Error(`It has ended: ${running.output}`);
    await sleep(20);
  }
}
/** Processor seconds of a process so far. */
function cpuOf({ child: { pid } }) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}
const rssMbOf = ({ child: { pid } }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024;

/** Runs a load with workers. @returns seconds from when all take part, processor seconds, and the driver's memory over time */
async function runWithWorkers({ source, destination, workers, flags = [] }) {
  const state = join(work, 'state');
  rmSync(state, { recursive: true, force: true });
  const config = join(work, 'nats.conf');
  writeFileSync(config, `host: 127.0.0.1\nport: ${NATS_PORT}\njetstream { store_dir: "${join(work, 'nats')}", max_mem: 256MB }\n`);
  const server = start(['nats-server', '-c', config]);
  await said(server, /Server is ready/);
  const members = workers.map(({ args, env }) => start(args, env));
  try {
    for (const member of members) await said(member, /waiting for a job/);
    const driver = start([process.execPath, program, 'load', source, destination, `--state-path=${state}`, `--workers=${SERVER}`, '--threads=0', '--estimate=false', ...flags]);
    const memory = [];
    const watch = setInterval(() => driver.child.exitCode === null && memory.push(rssMbOf(driver)), 250);
    while ((driver.output.match(/takes part/g) ?? []).length < workers.length) {
      if (driver.child.exitCode !== null) throw new Error(driver.output);
      await sleep(5);
    }
    const begun = performance.now();
    let driverCpu = 0;
    while (!/Final Job Status/.test(driver.output)) {
      driverCpu = cpuOf(driver);
      await sleep(5);
      if (driver.child.exitCode !== null) break;
    }
    const seconds = (performance.now() - begun) / 1000;
    await driver.ended;
    clearInterval(watch);
    if (!driver.output.includes('Final Job Status: Completed\n')) throw new Error(driver.output);
    const cpu = { driver: driverCpu, server: cpuOf(server), workers: members.reduce((sum, member) => sum + cpuOf(member), 0) };
    return { seconds, cpu, memory };
  } finally {
    for (const { child } of [...members, server]) child.kill('SIGKILL');
    await Promise.all([...members, server].map(({ ended }) => ended));
  }
}

const worker = (threads, env = {}) => ({
  args: [process.execPath, program, 'worker', `--join=${SERVER}`, `--threads=${threads}`, '--container=env:CLFS_URL'],
  env: { CLFS_URL: url(), ...env },
});

/** 100 directories of 80 files of 4 KiB. */
const someSmallFiles = () =>
  fixture('S-8000', (path) => {
    for (let d = 0; d < 100; d++) {
      mkdirSync(join(path, `d${d}`));
      for (let f = 0; f < 80; f++) execFileSync('cp', [join(smallFiles(), `d${d}`, `f${f}`), join(path, `d${d}`)]);
    }
  });

/** The cases of several machines. */
export const WORKERS_CASES = {
  /** A source of 5 ms a call: one lane and four calls in flight a worker, one, two and four of them; no lane of the driver. */
  KW: () =>
    withSlowFileSystem(5000, someSmallFiles(), join(work, 'slow-source'), async (source) => {
      const rates = {};
      for (const count of [1, 2, 4]) {
        const runs = [];
        for (let round = 0; round < Math.min(3, rounds); round++) {
          sink('container', 'bench');
          const workers = Array.from({ length: count }, () => worker(1, { UV_THREADPOOL_SIZE: '4' }));
          runs.push(await runWithWorkers({ source, destination: url(), workers }));
        }
        rates[count] = 8000 / median(runs.map(({ seconds }) => seconds));
      }
      const times = (count) => (rates[count] / rates[1]).toFixed(2);
      return { case: 'KW', clfsload: `one ${rates[1].toFixed(0)} files/s, two ${rates[2].toFixed(0)} (× ${times(2)}), four ${rates[4].toFixed(0)} (× ${times(4)})` };
    }),
  /** Workers that answer at once: what the driver, its state and the server take. */
  async KD() {
    const [directories, files] = [2000, 1000];
    const idle = await bundleProgram('idle-worker', 'bench');
    const source = fixture('KD', () => undefined);
    const { seconds, cpu, memory } = await runWithWorkers({
      source,
      destination: nullUrl,
      workers: [{ args: [process.execPath, idle, SERVER, String(directories), String(files)] }],
      flags: ['--check-listing=false'],
    });
    const entries = directories * (files + 1);
    const at = (share) => memory[Math.floor((memory.length - 1) * share)].toFixed(0);
    const each = (one) => `${((one * 1e6) / entries).toFixed(1)} µs`;
    return {
      case: 'KD',
      clfsload: `${(entries / seconds).toFixed(0)} entries/s; CPU an entry: driver ${each(cpu.driver)}, server ${each(cpu.server)}, worker ${each(cpu.workers)}; memory ${at(0.25)}, ${at(0.5)}, ${at(0.75)}, ${at(1)} MB`,
      'RSS MB': Math.max(...memory).toFixed(0),
    };
  },
  /** Processor time a small file: driver, server and one worker, against the same load without. */
  async KC() {
    const alone = [];
    const together = [];
    // So many that what programs take to start weighs little.
    const source = fourfold('S', smallFiles());
    for (let round = 0; round < Math.min(3, rounds); round++) {
      sink('container', 'bench');
      rmSync(join(work, 'state'), { recursive: true, force: true });
      const load = start([process.execPath, program, 'load', source, url(), `--state-path=${join(work, 'state')}`, '--threads=2', '--estimate=false']);
      let cpu = 0;
      while (load.child.exitCode === null && !/Final Job Status/.test(load.output)) {
        cpu = cpuOf(load);
        await sleep(5);
      }
      await load.ended;
      alone.push(cpu);
      sink('container', 'bench');
      const run = await runWithWorkers({ source, destination: url(), workers: [worker(2)] });
      together.push(run.cpu);
    }
    const sum = ({ driver, server, workers }) => driver + server + workers;
    const each = (seconds) => ((seconds * 1e6) / 80_000).toFixed(0);
    const of = (part) => each(median(together.map((cpu) => cpu[part])));
    const ratio = median(together.map(sum)) / median(alone);
    return { case: 'KC', clfsload: `µs a file: alone ${each(median(alone))}; driver ${of('driver')}, server ${of('server')}, worker ${of('workers')}`, ratio: ratio.toFixed(2) };
  },
};
