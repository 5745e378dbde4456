/**
 * Faults that are planted into the program, one at a time, to see that the random lives, or the test named, find each
 * of them.
 *
 * `find` must be in the file exactly once (or `count` times); `replace` takes its place. A fault with a `test` is one
 * that the random lives cannot tell from a change that came a moment later: that test is shown it in their place. `lives:
 * 'workers'` is a fault that lives with workers find.
 */
export const PLANTED_FAULTS = [
  {
    name: 'a look at what has just changed is taken for one that others are compared with',
    file: 'src/source/settled.ts',
    find: 'return ageMs >= stepMs(seen) + (isRemote ? SKEW_MS : 0) ||',
    replace: 'return ageMs >= 0 ||',
  },
  {
    name: 'a linked inode of which nothing counts keeps its handle',
    file: 'src/load/tries.ts',
    find: 'state.links.setNames(group.id, state.takeSequences(1), ',
    replace: 'state.links.setNames(group.id, group.sequence || state.takeSequences(1), ',
  },
  {
    name: 'a linked inode that counts keeps its revision',
    file: 'src/load/tries.ts',
    find: 'group.manager, group.revision + 1)',
    replace: 'group.manager, group.revision)',
  },
  {
    name: 'a directory is written again under the same revision',
    file: 'src/state/directory-life.ts',
    find: ', revision = revision + 1\n',
    replace: '\n',
  },
  {
    name: 'the names of an entry whose try was cut off are no left-overs',
    file: 'src/load/tries.ts',
    find: 'if (index >= ended.begun) continue;',
    replace: 'if (index >= 0) continue;',
  },
  {
    name: 'the names of a linked inode whose try was lost are no left-overs',
    file: 'src/load/tries.ts',
    find: '  leaveLinked(context, group);\n',
    replace: '',
  },
  {
    name: 'the names of a directory whose try was lost are no left-overs',
    file: 'src/load/tries.ts',
    find: '  leaveDirectory(context, context.state.directories.get(id));\n',
    replace: '',
  },
  {
    name: 'the last segment of a large file that was given up is no left-over',
    file: 'src/load/tries.ts',
    find: 'segments: Math.min(large.boundBlocks, large.blocks - 1),',
    replace: 'segments: Math.min(large.boundBlocks, large.blocks - 2),',
  },
  {
    name: 'a segment of a large file counts that was not acknowledged',
    file: 'src/load/record-results.ts',
    find: 'large.done.plus(fresh.map(({ block }) => block))',
    replace: 'large.done.plus(fresh.map(({ block }) => Math.min(block + 1, large.blocks - 1)))',
  },
  {
    name: 'the live name of a directory is removed, not the former one',
    file: 'src/load/tries.ts',
    find: 'version: FIRST_VERSION + written.revision,',
    replace: 'version: FIRST_VERSION + record.revision,',
  },
  {
    name: 'the live segments of a linked inode are removed, not the former ones',
    file: 'src/load/tries.ts',
    find: 'generation: written.generation,',
    replace: 'generation: group.revision,',
  },
  {
    name: 'late puts are not waited for',
    file: 'src/load/end-tools.ts',
    find: 'if (waitMs <= 0) {',
    replace: 'if (waitMs !== 0) {',
  },
  {
    name: 'a directory that was given up is no left-over',
    file: 'src/load/give-up.ts',
    find: "      supersedeDirectory(this.#context, record, written, { kind: 'entry', directory: record.parent });\n",
    replace: '',
  },
  {
    name: 'late puts of a process that was killed are not waited for',
    file: 'src/load/session-decisions.ts',
    find: 'return sessions > 0 && !settled ?',
    replace: 'return sessions < 0 && !settled ?',
  },
  {
    name: 'an error of a put is swallowed',
    file: 'src/worker/chunk-in-progress.ts',
    find: '    const failed = (error: unknown) => {\n      this.breakOff(error);\n      this.#ended();',
    replace: '    const failed = () => {\n      acknowledged();',
  },
  {
    name: 'the mark of an acknowledged entry is dropped',
    file: 'src/load/record-results.ts',
    find: '  chunk.acknowledged.addAll(part.acknowledged);\n',
    replace: '',
  },
  {
    name: 'a small file is sent though it has changed',
    file: 'src/worker/build-entry.ts',
    find: '    if (!file.isUnchanged(before)) return undefined;\n',
    replace: '',
  },
  {
    name: 'segments of a large file are sent though it has changed',
    file: 'src/worker/large-reader.ts',
    find: '  if (!same) throw changed();\n',
    replace: '',
  },
  {
    name: 'another file that took the place of a linked one is loaded for it',
    file: 'src/worker/item.ts',
    find: 'if (item.expectedInode !== undefined && attributes.inode !== item.expectedInode) {',
    replace: 'if (item.expectedInode === 0n) {',
  },
  {
    name: 'a directory that took the place of another is opened for it, by a call that holds up the lane',
    file: 'src/worker/context.ts',
    find: 'source.openDirectory(path, expected)',
    replace: 'source.openDirectory(path)',
    test: 'test/whole-changes.test.ts',
  },
  {
    name: 'a directory that took the place of another is opened for it, by a call that leaves the lane free',
    file: 'src/worker/context.ts',
    find: 'async.openDirectory(path, expected)',
    replace: 'async.openDirectory(path)',
    test: 'test/whole-changes.test.ts',
  },
  {
    name: 'a small file that is read while others are is sent though it has changed',
    file: 'src/worker/read-ahead.ts',
    find: 'isRead = count === sizeBytes && (await file.isUnchanged(before));',
    replace: 'isRead = count === sizeBytes;',
  },
  {
    name: 'the buffer that an entry was read into is given back before it is built',
    file: 'src/worker/read-ahead.ts',
    find: 'const count = await file.read(buffer.subarray(0, sizeBytes + 1), 0, Math.max(1, sizeBytes));\n',
    replace:
      'const count = await file.read(buffer.subarray(0, sizeBytes + 1), 0, Math.max(1, sizeBytes));\n    context.readBuffers.release(buffer);\n',
  },
  {
    name: 'a large file that failed stays in its directory',
    file: 'src/load/record-results.ts',
    find: '  state.chunks.leaveOut(large.origin.chunk, large.origin.entry);\n',
    replace: '',
  },
  {
    name: 'the books keep the segments of a file that was given up',
    file: 'src/load/tries.ts',
    find: '  state.removeObjects(Tally.decode(large.tally));\n',
    replace: '',
  },
  {
    name: 'failures are forgotten when they are tried again',
    file: 'src/load/retry-failures.ts',
    find: '  state.failures.setWanted();\n',
    replace: '  state.failures.setWanted();\n  state.failures.dropResolved();\n',
  },
  {
    name: 'the lock of a state directory is not taken',
    file: 'src/state/state-directory.ts',
    find: '  if (!takeLock(fd)) {',
    replace: '  if (!takeLock(fd) && path === "") {',
  },
  {
    name: 'a name that a listing gives twice is loaded twice',
    file: 'src/worker/list-directory.ts',
    find: 'if (!names.add(entry.name)) {',
    replace: 'if (!names.add(entry.name) && names.has(DOT)) {',
    test: 'test/whole-names.test.ts',
  },
  {
    name: 'a directory is told from others by its inode number alone',
    file: 'src/worker/list-directory.ts',
    find: 'this.directories.push({ name, device, inode, bornNs });',
    replace: 'this.directories.push({ name, device, inode, bornNs: 0n });',
    test: 'test/whole-moved.test.ts',
  },
  {
    name: 'a linked file is read as it is a moment after its names were looked at',
    file: 'src/worker/load-linked.ts',
    find: 'else ({ seen: confirmed, isSettled } =',
    replace: 'else ({ isSettled } =',
    test: 'test/whole-names.test.ts',
  },
  {
    name: 'what is missing where a file system is not mounted is gone',
    file: 'src/load/source-proof.ts',
    find: 'return (path) => isSamePlace(before, now, path);',
    replace: 'return (path) => isSamePlace(before, now, path) || path.length > 0;',
    test: 'test/whole-moved.test.ts',
  },
  {
    name: 'workers: a put is sent without a look at the lease',
    lives: 'workers',
    file: 'src/container/lease.ts',
    find: 'return () => lease.holds({ monotonicMs: clock.monotonic(), nowMs: clock.now() });',
    replace:
      'return () => lease.leftMs({ monotonicMs: clock.monotonic(), nowMs: clock.now() }) > Number.NEGATIVE_INFINITY;',
  },
  {
    name: 'workers: those of a driver that died are not waited for by the next session',
    lives: 'workers',
    file: 'src/load/session-decisions.ts',
    find: 'nowMs + Math.max(lateArrivalMs, remoteLateMs)',
    replace: 'nowMs + Math.min(lateArrivalMs, lateArrivalMs + remoteLateMs)',
  },
  {
    name: 'workers: the lease runs from the answer',
    test: 'test/workers-pool.test.ts',
    file: 'src/remote/member.ts',
    find: 'lease.extend(asked, leaseMs);',
    count: 2,
    replace: 'lease.extend(this.#now(), leaseMs);',
  },
  {
    name: 'workers: a ticket that somebody has is done by another one too',
    test: 'test/workers-model.test.ts',
    file: 'src/remote/remote-pool.ts',
    find: `(ticket.holder && !isMine)) {
      answer({ to: 'take', go: false });
      return;
    }
    // Somebody may have had it before: it is never done as it is, but under a ticket, and names, of its own.
    if (!isMine && deliveries > 1) {
      this.#drop(number, 0, NOT_BLAMED);
      answer({ to: 'take', go: false });
      return;
    }`,
    replace: `deliveries < 0) {
      answer({ to: 'take', go: false });
      return;
    }`,
  },
  {
    name: 'workers: what a worker had that is gone is done by another one under the same names',
    lives: 'workers',
    file: 'src/remote/remote-pool.ts',
    find: 'for (const number of [...worker.tickets]) this.#drop(number, uncertainUntilMs, blameOf(number));',
    replace: `for (const number of [...worker.tickets]) {
      Object.assign(this.#tickets.get(number) ?? {}, { holder: undefined, told: new Reassembly(), recorded: 0 });
      this.#link.offer(number);
    }`,
  },
  {
    name: 'workers: a ticket that comes twice to one worker is done twice',
    test: 'test/workers-model.test.ts',
    file: 'src/remote/member.ts',
    find: 'if (this.#taking.has(ticket) || this.#tasks.has(ticket) || this.#isOver) {',
    replace: 'if (this.#isOver) {',
  },
  {
    name: 'workers: late puts of one that is gone are not waited for',
    lives: 'workers',
    file: 'src/remote/remote-workers.ts',
    find: 'tickets.size === 0 ? 0 : endMs + this.#parts.lateArrivalMs, blameOf);',
    replace: '0, blameOf);',
  },
  {
    name: 'workers: what one that is gone can send until its lease has ended is not reckoned with',
    test: 'test/workers-model.test.ts',
    file: 'src/remote/remote-workers.ts',
    find: 'return answeredMs + this.#parts.leaseMs;',
    replace: 'return answeredMs;',
  },
  {
    name: 'workers: puts that they have given up are not waited for',
    lives: 'workers',
    file: 'src/join/open-pool.ts',
    find: 'if (counters.uncertainMs > 0)',
    replace: 'if (counters.uncertainMs < 0)',
  },
  {
    name: 'workers: a piece that comes twice counts twice',
    lives: 'workers',
    file: 'src/remote/pieces.ts',
    find: '    if (piece.number < this.next) return;\n',
    replace: '',
  },
  {
    name: 'workers: pieces are put together in the order in which they come',
    lives: 'workers',
    file: 'src/remote/pieces.ts',
    find: 'if (piece.number > this.next) {',
    replace: 'if (piece.number > this.next + 1000) {',
  },
  {
    name: 'exports: late writes of a worker that is gone are not waited for',
    lives: 'export',
    file: 'src/export/late-writes.ts',
    find: 'if (waitMs <= 0) return false;',
    replace: 'if (waitMs <= Number.POSITIVE_INFINITY) return false;',
  },
  {
    name: 'exports: a large file is ended while late writes can move its times',
    lives: 'export',
    file: 'src/export/work/large.ts',
    find: 'late !== undefined && (late.isOfBefore || !late.hasPassed(heldUntilMs))',
    replace: 'late !== undefined && (late.isOfBefore && !late.hasPassed(heldUntilMs))',
  },
  {
    name: 'exports: what was changed without a look at the lease',
    lives: 'export',
    file: 'src/export/target/target-ways.ts',
    find: 'if (mayChange?.() === false)',
    replace: 'if (mayChange?.() === undefined && mayChange)',
  },
  {
    name: 'exports: two tries write to one temporary name',
    lives: 'export',
    file: 'src/export/tasks/files.ts',
    find: 'const own = isShared ?',
    replace: 'const own = !isShared ?',
  },
  {
    name: 'exports: what a lost try has left is not looked for',
    lives: 'export',
    file: 'src/export/work/files.ts',
    find: '      context.state.leftovers.add(directory);\n      context.state.chunks.release(id);',
    replace: '      context.state.chunks.release(id);',
  },
  {
    name: 'exports: what a try has left that was stopped is not looked for',
    lives: 'export',
    file: 'src/export/work/files.ts',
    find: 'if (context.constants.isShared) context.state.leftovers.add(directory);',
    replace: '',
  },
  {
    name: 'exports: what a driver that was killed had given is not looked for',
    lives: 'export',
    file: 'src/export/session.ts',
    find: 'state.leftovers.addClaimed();',
    replace: 'state.leftovers.list(1);',
  },
];
