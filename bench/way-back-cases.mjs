import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { azcopy, median, million, PORT, rounds, runOurs, runVerb, sinkHome, smallFiles, text, timed, url, work } from './harness.mjs';
import { halfOfSmallFiles, withSlowFileSystem } from './slow-cases.mjs';

/** Where a tree is brought to. `seen` is the same directory, by a quick way. */
const QUICK = { path: join(work, 'way-back'), seen: join(work, 'way-back') };
const SLOW = { path: join(work, 'slow/way-back'), seen: join(work, 'slow-behind/way-back') };
const clear = ({ seen }) => {
  for (const path of [seen, join(dirname(seen), '.way-back.clfsload-export')]) rmSync(path, { recursive: true, force: true });
};
const plainUrl = (port) => url(port).replace('/bench?', '/plain?');

/** The files of a tree as plain blobs. @param flat side by side, in place of in directories */
function plainBlobs(source, flat) {
  const plain = join(sinkHome, 'blobs/devstoreaccount1/plain');
  rmSync(plain, { recursive: true, force: true });
  mkdirSync(plain, { recursive: true });
  for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(source.length + 1);
    const blob = join(plain, flat ? name.replaceAll('/', '-') : name);
    mkdirSync(dirname(blob), { recursive: true });
    copyFileSync(path, blob);
  }
}

/** azcopy's own wall time comes in steps of 2 s: the time to its last file counts. */
async function runDownload(port, place) {
  clear(place);
  mkdirSync(place.seen);
  const begun = Date.now();
  const run = await timed(azcopy, ['copy', plainUrl(port), place.path, '--recursive', '--from-to', 'BlobLocal', '--check-length=false', '--check-md5=NoCheck', '--output-level', 'quiet'], { AZCOPY_LOG_LOCATION: join(work, 'azlog'), AZCOPY_JOB_PLAN_LOCATION: join(work, 'azplan') });
  if (!run.ok) throw new Error('azcopy failed');
  let last = 0;
  let files = 0;
  for (const entry of readdirSync(place.seen, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    files++;
    last = Math.max(last, statSync(join(entry.parentPath, entry.name)).ctimeMs);
  }
  return { ...run, files, seconds: (last - begun) / 1000 };
}

async function runExport(port, place) {
  clear(place);
  return runVerb(['export', url(port), place.path]);
}

/** Export against azcopy's download of the same files, alternating. @param files that azcopy must bring */
async function compareExport(name, source, { files, size, unit, port = PORT, place = QUICK }) {
  await runOurs(source);
  plainBlobs(source, place === QUICK);
  const ours = [];
  const theirs = [];
  for (let round = 0; round < rounds; round++) {
    theirs.push(await runDownload(port, place));
    if (theirs.at(-1).files !== files) throw new Error(`azcopy brought ${theirs.at(-1).files} files of ${files}`);
    ours.push(await runExport(port, place));
  }
  clear(place);
  const rate = (runs) => size / median(runs.map((run) => run.seconds));
  return {
    case: name,
    clfsload: `export ${rate(ours).toFixed(0)} ${unit}`,
    azcopy: `download ${rate(theirs).toFixed(0)} ${unit}`,
    ratio: (rate(ours) / rate(theirs)).toFixed(2),
    'CPU s': median(ours.map((run) => run.cpu)).toFixed(2),
    'azcopy CPU s': median(theirs.map((run) => run.cpu)).toFixed(2),
    'RSS MB': median(ours.map((run) => run.peak)).toFixed(0),
  };
}

/** The cases of the way back. */
export const WAY_BACK_CASES = {
  B1: () => compareExport('B1', smallFiles(), { files: 20000, size: 20000, unit: 'files/s' }),
  B2: () => compareExport('B2', smallFiles(), { files: 20000, size: 20000, unit: 'files/s', port: PORT + 1 }),
  B3: () => compareExport('B3', text(), { files: 4, size: 1024, unit: 'MiB/s' }),
  /** Into a file system of which each call takes a millisecond. Needs libfuse3-dev and fuse3. */
  FE: () =>
    withSlowFileSystem(1000, dirname(SLOW.seen), dirname(SLOW.path), () =>
      compareExport('FE', halfOfSmallFiles(), { files: 10000, size: 10000, unit: 'files/s', place: SLOW })),
  /** What reads all content, with two lanes against one. */
  async B4() {
    await runOurs(text());
    const verbs = { verify: ['verify', text(), url(), '--content'], fsck: ['fsck', '--content', url()], manifest: ['manifest', '--hash', url()] };
    const parts = [];
    const ratios = [];
    let memory = 0;
    for (const [name, args] of Object.entries(verbs)) {
      const times = { 1: [], 2: [] };
      for (let round = 0; round < rounds; round++)
        for (const threads of [1, 2]) {
          const run = await runVerb([...args, `--threads=${threads}`]);
          times[threads].push(run.seconds);
          memory = Math.max(memory, run.peak);
        }
      const [one, two] = [median(times[1]), median(times[2])];
      parts.push(`${name} ${(1024 / two).toFixed(0)} MiB/s`);
      ratios.push((one / two).toFixed(2));
    }
    return { case: 'B4', clfsload: parts.join(', '), ratio: ratios.join(' '), 'RSS MB': memory.toFixed(0) };
  },
  /** A million entries. */
  async B5() {
    await runOurs(million());
    const verbs = { 'ls -lR': ['ls', '-lR', url()], 'find -size': ['find', url(), '--size', '+1k'], du: ['du', '-s', url()] };
    const parts = [];
    let memory = 0;
    for (const [name, args] of Object.entries(verbs)) {
      const runs = [];
      for (let round = 0; round < Math.min(3, rounds); round++) runs.push(await runVerb(args));
      memory = Math.max(memory, ...runs.map((run) => run.peak));
      parts.push(`${name} ${(1_010_001 / median(runs.map(({ seconds }) => seconds))).toFixed(0)}`);
    }
    return { case: 'B5', clfsload: `${parts.join(', ')} entries/s`, 'RSS MB': memory.toFixed(0) };
  },
};
