/**
 * Faults that are planted into the program, one at a time, to see that the random lives find each of them.
 *
 * `find` must be in the file exactly once (or `count` times); `replace` takes its place.
 */
export const PLANTED_FAULTS = [
  {
    name: 'files count as done before their puts have ended',
    file: 'src/worker/load-files.ts',
    find: '  await result.settle();\n',
    replace: '',
    count: 2,
  },
  {
    name: 'an error of a put is swallowed',
    file: 'src/worker/object-writer.ts',
    find: '        this.drop();\n        throw error;',
    replace: '        this.drop();',
  },
  {
    name: 'a large file that changed keeps its generation',
    file: 'src/load/apply-results.ts',
    find: 'const generation = large.generation + 1;',
    replace: 'const generation = large.generation;',
  },
  {
    name: 'the live name of a directory is removed, not the former one',
    file: 'src/load/apply-results.ts',
    find: 'version: FIRST_VERSION + former.revision }) });\n    if (former.blocks > 1) state.leftovers.add({ owner: handle, sequence: record.sequence',
    replace: 'version: FIRST_VERSION + record.revision }) });\n    if (former.blocks > 1) state.leftovers.add({ owner: handle, sequence: record.sequence',
  },
  {
    name: 'late puts are not waited for',
    file: 'src/load/finish.ts',
    find: 'if (waitMs > 0) {',
    replace: 'if (waitMs > Number.MAX_VALUE) {',
  },
  {
    name: 'a small file is sent though it has changed',
    file: 'src/worker/load-files.ts',
    find: '    if (!file.isUnchanged(before)) return undefined;\n',
    replace: '',
  },
  {
    name: 'segments of a large file are sent though it has changed',
    file: 'src/worker/load-large.ts',
    find: '  if (!same) throw changed();',
    replace: '',
  },
  {
    name: 'a directory that took the place of another is read',
    file: 'src/worker/load-files.ts',
    find: 'directory = context.source.openDirectory(Buffer.from(task.place.path), task.place);',
    replace: 'directory = context.source.openDirectory(Buffer.from(task.place.path));',
  },
  {
    name: 'an entry that failed stays in its directory',
    file: 'src/load/apply-results.ts',
    find: '    state.chunks.exclude(chunk.id, failure.index);\n',
    replace: '',
  },
  {
    name: 'a listing that was not complete counts after a crash',
    file: 'src/state/job-state.ts',
    find: '      DELETE FROM chunk WHERE status = ',
    replace: '      UPDATE chunk SET status = 0 WHERE status = ',
  },
  {
    name: 'what was under way in a crash is not suspect',
    file: 'src/state/job-state.ts',
    find: ', suspect = 1 WHERE',
    replace: ', suspect = 0 WHERE',
    count: 2,
  },
  {
    name: 'a directory is written again under the same revision',
    file: 'src/state/directories.ts',
    find: 'THEN written_revision + 1 ELSE revision END',
    replace: 'THEN written_revision ELSE revision END',
  },
  {
    name: 'another file that took the place of a linked one is loaded for it',
    file: 'src/worker/load-files.ts',
    find: 'if (item.expectedInode !== undefined && attributes.inode !== item.expectedInode)',
    replace: 'if (item.expectedInode === 0n)',
  },
  {
    name: 'a failure is forgotten when it is tried again',
    file: 'src/load/repair.ts',
    find: '  state.failures.setRetrying();\n',
    replace: '  state.failures.setRetrying();\n  state.failures.dropResolved();\n',
  },
  {
    name: 'the lock of a state directory is not taken',
    file: 'src/state/state-directory.ts',
    find: '  if (!tryLock(fd)) {',
    replace: '  if (!tryLock(fd) && path === "") {',
  },
  {
    name: 'a container that is not empty is taken',
    file: 'src/load/open-job.ts',
    find: '    if (!(await isEmpty(container))) throw notEmpty(wish);\n',
    replace: '',
  },
  {
    name: 'the manifest keeps the lines of what was loaded again',
    file: 'src/load/manifest-file.ts',
    find: '      if (!repaired) await pipeline',
    replace: '      if (true || !repaired) await pipeline',
  },
];
