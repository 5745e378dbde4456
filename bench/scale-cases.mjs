import { execFileSync, spawn } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { azcopy, fixture, here, median, million, PORT, rounds, runOurs, runVerb, sink, text, timed, url, work } from './harness.mjs';

const statePath = join(work, 'state');
const nullUrl = `http://127.0.0.1:${PORT}/null/bench?sv=2021-12-02&sr=c&sp=racwdl&sig=c2luaw%3D%3D`;

const wide = () =>
  fixture('D', (path) => {
    for (let f = 0; f < 1_000_000; f++) closeSync(openSync(join(path, `name-${f}`), 'w'));
  });
const sparse = () =>
  fixture('H', (path) => {
    const fd = openSync(join(path, 'sparse'), 'w');
    ftruncateSync(fd, 42 * 2 ** 30);
    closeSync(fd);
  });

/** Loads and returns what was seen on the way; ended by `stopWhen`, if that is given, by SIGKILL. */
function watch(source, options, stopWhen) {
  return new Promise((resolve, reject) => {
    const seen = [];
    let status;
    const child = spawn(process.execPath, [join(here, 'watch-load.mjs'), source, options.destination ?? nullUrl, JSON.stringify({ statePath, ...options, destination: undefined })], { stdio: ['ignore', 'pipe', 'inherit'] });
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop();
      for (const line of lines.map((each) => JSON.parse(each))) {
        if (line.status) status = line;
        else seen.push(line);
        if (stopWhen?.(line)) child.kill('SIGKILL');
      }
    });
    child.on('close', () => (stopWhen || status?.status === 'Completed' ? resolve(seen) : reject(new Error(`the load ended ${JSON.stringify(status)}`))));
  });
}
const clearState = () => rmSync(statePath, { recursive: true, force: true });
const peak = (seen) => Math.max(...seen.map(({ rssMb }) => rssMb)).toFixed(0);
/** When so many entries were done. */
function secondsAt(seen, entries) {
  const after = seen.findIndex(({ filesDone }) => filesDone >= entries);
  if (after <= 0) return seen[0].seconds;
  const [a, b] = [seen[after - 1], seen[after]];
  return a.seconds + ((entries - a.filesDone) / (b.filesDone - a.filesDone)) * (b.seconds - a.seconds);
}

/** The cases of large trees, to a sink that stores nothing, and the others that need a set-up of their own. */
export const SCALE_CASES = {
  async M() {
    clearState();
    const seen = await watch(million(), {});
    const total = seen.at(-1).filesDone;
    const first = 100_000 / (secondsAt(seen, 100_000) - seen[0].seconds);
    const last = 100_000 / (secondsAt(seen, total) - secondsAt(seen, total - 100_000));
    const middle = seen.filter(({ filesDone }) => filesDone > 200_000 && filesDone < 300_000);
    const end = seen.filter(({ filesDone }) => filesDone > 900_000);
    const state = Math.max(...seen.map(({ stateBytes }) => stateBytes));
    return {
      case: 'M',
      clfsload: `${(total / seen.at(-1).seconds).toFixed(0)} files/s; first 100,000 at ${first.toFixed(0)}, last at ${last.toFixed(0)}: ${(last / first).toFixed(2)}; memory ${peak(middle)} MB after 200,000, ${peak(end)} at the end; state at most ${(state / total).toFixed(0)} bytes a file`,
      'RSS MB': peak(seen),
    };
  },
  async X() {
    clearState();
    const killed = await watch(million(), {}, ({ filesDone }) => filesDone > 900_000);
    const seen = await watch(million(), { newSession: false });
    const before = seen[0].filesDone;
    const firstPut = seen.find(({ sessionFiles }) => sessionFiles > 0).seconds;
    const { sessionFiles, requests, filesDone } = seen.at(-1);
    return { case: 'X', clfsload: `killed at ${killed.at(-1).filesDone}, ${before} marked done; the resume sent ${sessionFiles} in ${requests} requests (${filesDone - before} were left), the first within ${firstPut.toFixed(1)} s` };
  },
  async D() {
    clearState();
    const seen = await watch(wide(), {});
    return { case: 'D', clfsload: `${seen.at(-1).seconds.toFixed(0)} s, ${(seen.at(-1).filesDone / seen.at(-1).seconds).toFixed(0)} files/s`, 'RSS MB': peak(seen) };
  },
  async H() {
    const times = { 1: [], 2: [] };
    let memory = 0;
    for (let round = 0; round < 2; round++) {
      for (const threads of [1, 2]) {
        clearState();
        const seen = await watch(sparse(), { threads });
        times[threads].push(seen.at(-1).seconds);
        memory = Math.max(memory, Number(peak(seen)));
      }
    }
    const [one, two] = [Math.min(...times[1]), Math.min(...times[2])];
    return { case: 'H', clfsload: `one thread ${one.toFixed(1)} s, two ${two.toFixed(1)} s`, ratio: (one / two).toFixed(2), 'RSS MB': memory };
  },
  /** `ls -R` and `find` of 100,000 entries. */
  async LS() {
    const source = fixture('LS', (path) => {
      for (let d = 0; d < 1000; d++) {
        mkdirSync(join(path, `d${d}`));
        for (let f = 0; f < 99; f++) writeFileSync(join(path, `d${d}`, `file-${f}`), 'x');
      }
    });
    await runOurs(source);
    const runs = [];
    for (let round = 0; round < Math.min(3, rounds); round++) runs.push(await runVerb(['ls', '-R', url()]));
    return { case: 'LS', clfsload: `ls -R ${(100_001 / median(runs.map(({ seconds }) => seconds))).toFixed(0)} entries/s`, 'RSS MB': median(runs.map((run) => run.peak)).toFixed(0) };
  },
  /** `--cap-mbps=80`, by the bytes that the loopback interface sends: the mean and every ten seconds of twenty. */
  async C() {
    sink('container', 'bench');
    clearState();
    const sent = () => Number(/lo:\s*(\d+)/.exec(readFileSync('/proc/net/dev', 'latin1'))[1]);
    const samples = [];
    const timer = setInterval(() => samples.push({ at: performance.now(), bytes: sent() }), 250);
    const run = spawn(process.execPath, [join(here, '../bin/clfsload'), 'load', text(), url(), `--state-path=${statePath}`, '--cap-mbps=80', '--compression-type=DISABLED', '--output-type=none']);
    await new Promise((resolve) => setTimeout(resolve, 23_000));
    clearInterval(timer);
    run.kill('SIGKILL');
    const rates = [];
    const begun = samples[8];
    for (const from of samples.slice(8)) {
      const to = samples.find(({ at }) => at >= from.at + 10_000);
      if (to) rates.push(((to.bytes - from.bytes) * 8) / 1000 / (to.at - from.at));
    }
    const whole = samples.find(({ at }) => at >= begun.at + 20_000) ?? samples.at(-1);
    const mean = ((whole.bytes - begun.bytes) * 8) / 1000 / (whole.at - begun.at);
    return { case: 'C', clfsload: `cap 80 Mb/s: ${mean.toFixed(1)} over 20 s; any 10 s between ${Math.min(...rates).toFixed(1)} and ${Math.max(...rates).toFixed(1)}` };
  },
  /** Both programs in a network namespace, the sink in another, a link of 1 Gbit/s between them. */
  async N() {
    const ip = (...args) => execFileSync('ip', args, { stdio: 'pipe' });
    const inside = (name, ...args) => ['netns', 'exec', name, ...args];
    const far = '10.77.0.2';
    const home = join(work, 'far-sink');
    const env = { SINK_HOME: home, SINK_ADDRESS: far };
    const farUrl = `http://${far}:${PORT}/devstoreaccount1/bench?sv=2021-12-02&sr=c&sp=racwdl&sig=c2luaw%3D%3D`;
    const sinkScript = join(here, 'sink/sink.sh');
    try {
      for (const name of ['clfs-near', 'clfs-far']) ip('netns', 'add', name);
      ip('link', 'add', 'clfs0', 'netns', 'clfs-near', 'type', 'veth', 'peer', 'name', 'clfs1', 'netns', 'clfs-far');
      for (const [name, device, address] of [
        ['clfs-near', 'clfs0', '10.77.0.1'],
        ['clfs-far', 'clfs1', far],
      ]) {
        ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', device);
        ip('-n', name, 'link', 'set', device, 'up');
        ip('-n', name, 'link', 'set', 'lo', 'up');
        ip(...inside(name, 'tc', 'qdisc', 'add', 'dev', device, 'root', 'tbf', 'rate', '1gbit', 'burst', '256kb', 'latency', '50ms'));
      }
      execFileSync('ip', inside('clfs-far', 'env', ...Object.entries(env).map(([key, value]) => `${key}=${value}`), 'bash', sinkScript, 'start', String(PORT)));
      const empty = () => execFileSync('bash', [sinkScript, 'container', 'bench'], { env: { ...process.env, ...env } });
      const ours = [];
      const theirs = [];
      for (let round = 0; round < Math.min(3, rounds); round++) {
        empty();
        theirs.push(await timed('ip', inside('clfs-near', azcopy, 'copy', text(), farUrl, '--recursive', '--from-to', 'LocalBlob', '--check-length=false', '--output-level', 'quiet'), { AZCOPY_LOG_LOCATION: join(work, 'azlog'), AZCOPY_JOB_PLAN_LOCATION: join(work, 'azplan') }));
        empty();
        clearState();
        ours.push(await timed('ip', inside('clfs-near', process.execPath, join(here, '../bin/clfsload'), 'load', text(), farUrl, `--state-path=${statePath}`)));
      }
      if (![...ours, ...theirs].every(({ ok }) => ok)) throw new Error('a run of N failed');
      const rate = (runs) => 1024 / median(runs.map(({ seconds }) => seconds));
      return { case: 'N', clfsload: `${rate(ours).toFixed(0)} MiB/s`, azcopy: `${rate(theirs).toFixed(0)} MiB/s`, ratio: (rate(ours) / rate(theirs)).toFixed(2) };
    } finally {
      try {
        execFileSync('bash', [sinkScript, 'stop'], { env: { ...process.env, ...env } });
      } catch {
        // It did not come up.
      }
      for (const name of ['clfs-near', 'clfs-far']) {
        try {
          ip('netns', 'del', name);
        } catch {
          // It was not made.
        }
      }
    }
  },
};
