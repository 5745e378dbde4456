// Each stage of a load alone, in this thread: where a regression comes from. node bench/stages.mjs
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openContainer, parseContainer } from '../dist/container/open-container.js';
import { Traffic } from '../dist/container/traffic.js';
import { compressObject } from '../dist/format/envelope.js';
import { GEOMETRY } from '../dist/format/geometry.js';
import { ObjectType } from '../dist/format/ids.js';
import { encodeObjectName, FIRST_VERSION } from '../dist/format/names.js';
import { openLz4 } from '../dist/lz4/lz4.js';
import { openPosixSource } from '../dist/source/posix-source.js';
import { JobState } from '../dist/state/job-state.js';
import { buildInode, layoutInode } from '../dist/format/object-layout.js';
import { toAttributes } from '../dist/worker/file-attributes.js';
import { JobIds } from '../dist/worker/job-ids.js';
import { sizeTree } from '../dist/worker/size-tree.js';
import { PORT, sink, smallFiles, text, url, work } from './harness.mjs';

const rows = {};
/** Runs a stage twice, the first time to warm up; `run` returns how many it did. */
async function stage(name, unit, run) {
  await run();
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const count = await run();
  const seconds = (performance.now() - begun) / 1000;
  const used = process.cpuUsage(cpu);
  rows[name] = { rate: `${(count / seconds).toFixed(0)} ${unit}/s`, 'CPU µs each': ((used.user + used.system) / count).toFixed(2) };
  console.log(name, JSON.stringify(rows[name]));
}

mkdirSync(work, { recursive: true });
sink('start', String(PORT));
try {
  const source = openPosixSource(Buffer.from(smallFiles()));
  const ids = new JobIds(Buffer.alloc(16, 7), 99);
  const lz4 = openLz4();
  const parent = ids.handle(1001, ObjectType.directory, 0, 1);
  const constants = { fsid: 1, containerId: 99 };
  await stage('scan', 'entries', async () => (await sizeTree(source, { preserveHardLinks: false, geometry: GEOMETRY })).entries);

  const scratch = Buffer.allocUnsafeSlow(8192);
  const eachFile = (use) => {
    let count = 0;
    for (let d = 0; d < 200; d++) {
      const directory = source.openDirectory(Buffer.from(`d${d}`));
      for (let f = 0; f < 100; f++) {
        const name = Buffer.from(`f${f}`);
        const file = directory.openFile(name);
        use(file, name, count++);
        file.close();
      }
      directory.close();
    }
    return count;
  };
  await stage('read', 'files', async () =>
    eachFile((file) => {
      const before = file.attributes();
      file.read(scratch.subarray(0, 4097), 0);
      file.isUnchanged(before);
    }),
  );
  const sample = source.openDirectory(Buffer.from('d0'));
  const attributes = toAttributes(sample.attributesOf(Buffer.from('f0')), constants, 4096, 1);
  sample.close();
  const encode = (number) => {
    const handle = ids.handle(2000 + number, ObjectType.regular, 1, 1);
    const identity = { handle, backPointers: [parent], name: Buffer.from(`file-${number}`) };
    const layout = layoutInode(identity, [handle], 4096);
    const length = buildInode(scratch, layout, identity, attributes, 4096, GEOMETRY);
    return { length, name: encodeObjectName({ id: handle, type: ObjectType.regular, owner: parent, version: FIRST_VERSION }) };
  };
  await stage('encode', 'files', async () => {
    for (let number = 0; number < 200_000; number++) encode(number);
    return 200_000;
  });
  eachFile((file) => file.read(scratch.subarray(300, 4396), 0));
  const target = Buffer.allocUnsafeSlow(8192);
  await stage('compress, 4 KiB', 'files', async () => {
    for (let number = 0; number < 50_000; number++) compressObject(scratch.subarray(0, 4400), target, lz4);
    return 50_000;
  });
  const large = Buffer.allocUnsafeSlow(8 << 20);
  const largeTarget = Buffer.allocUnsafeSlow((8 << 20) + 65536);
  const texts = openPosixSource(Buffer.from(text()));
  const directory = texts.openDirectory(Buffer.alloc(0));
  directory.openFile(Buffer.from('text-0')).read(large, 0);
  await stage('compress, text', 'MiB', async () => {
    for (let number = 0; number < 32; number++) compressObject(large, largeTarget, lz4);
    return 256;
  });

  sink('container', 'bench');
  const { place, query } = parseContainer(url());
  const container = await openContainer(place, { query, bearer: '' }, { retryWindowMs: 1000, traffic: new Traffic(1) });
  const body = Buffer.alloc(2500, 'x');
  await stage('put, 2.5 KB', 'blobs', async () => {
    for (let number = 0; number < 20_000; ) {
      const batch = [];
      for (; batch.length < 32; number++) batch.push(container.put(encode(number).name, body));
      await Promise.all(batch);
    }
    return 20_000;
  });
  await container.close();

  const path = join(work, 'stage-state.sqlite');
  await stage('state', 'files', async () => {
    for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });
    const state = JobState.create(path, {}, 2000, 'WAL');
    const entries = Buffer.alloc(256 * 12);
    for (let chunk = 0; chunk < 4000; chunk += 4) {
      state.transact(() => {
        for (let each = 0; each < 4; each++) state.chunks.add(1, state.takeSequences(256), 256, entries, false);
      });
      state.transact(() => {
        for (const claimed of state.chunks.claim(4)) state.chunks.finish(claimed.id);
        state.count(1024, 4096 * 1024);
      });
    }
    state.close();
    return 4000 * 256;
  });
} finally {
  sink('stop');
}
console.table(rows);
