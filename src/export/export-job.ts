import { redact } from '../container/azure/container-url.js';
import { openContainer, type ParsedContainer, parseContainer, placeText } from '../container/open-container.js';
import { readCap } from '../container/read-cap.js';
import { joinTotals, Traffic } from '../container/traffic.js';
import { atMost } from '../engine/report.js';
import { ClfsError } from '../error.js';
import { GEOMETRY } from '../format/geometry.js';
import { ObjectType } from '../format/ids.js';
import { type Identity, openIdentity } from '../identity/identity.js';
import { requireServer, requireWorkers } from '../join/open-pool.js';
import { forgetWorkers, WORKERS_FILE, WorkersFile } from '../join/workers-file.js';
import { openJobLog } from '../log/job-log.js';
import { openLz4 } from '../lz4/lz4.js';
import { identifyContainer } from '../namespace/identify-container.js';
import { lookUp } from '../namespace/lookup.js';
import { createDirectFinder, type ObjectFinder } from '../namespace/object-finder.js';
import { Pace } from '../namespace/pace.js';
import { ContainerReader, type ReaderOverlay } from '../namespace/reader.js';
import { checkOptions } from '../option-checks.js';
import { joinPath } from '../paths/join-path.js';
import { namedPlace, requireApart } from '../paths/places-apart.js';
import { keepFreedMemory } from '../posix/malloc.js';
import { openSalvage } from '../salvage/open-salvage.js';
import { removeState, type StateDirectory } from '../state/state-directory.js';
import { writeTrouble } from '../state/write-trouble.js';
import { systemClock } from '../time/clock.js';
import { JobWaits } from '../waits/job-waits.js';
import type { WaitedPlace } from '../waits/wait-board.js';
import { ALL } from './choice.js';
import { endProbe } from './export-pool.js';
import { goOnWithTree, openSameTarget, recordedMounts, recordTarget } from './go-on.js';
import { type ContentTotal, ExportJobContext } from './job-context.js';
import { type Listing, listObjects, type Reading } from './list-objects.js';
import { claimState, createState, type ExportWish } from './open-export.js';
import { DEFAULT_RETRY_WINDOW_MS, isOnlyRemote, openExportLanes } from './open-lanes.js';
import { type OpenTarget, openTarget } from './open-target.js';
import { EXPORT_CHECKS, type ExportJobOptions, type ExportSummary } from './options.js';
import { salvageRootName } from './salvage-root.js';
import { ExportSession } from './session.js';
import type { ExportState } from './state/export-state.js';
import { KEPT_WHOLE, lostAttributes } from './target/kept-attributes.js';
import { EXACT_NAMES } from './target/name-folding.js';
import { fileNameOf, requirePlace, type TargetPath, targetPath } from './target-path.js';
import type { ExportConstants } from './tasks/kinds.js';
import { temporaryPrefixOf } from './temporary-names.js';

/**
 * Writes the tree of a container, or a part of it, or one file, to disk, as a job that can be gone on with.
 *
 * Nothing is written outside of the target, whatever the container holds and whatever lies there: no symlink below it
 * is followed. What goes wrong once the job has begun is in the summary.
 *
 * @throws ClfsError when the job is refused before it begins: `usage`, `state`, `state-busy`, `container…`,
 *   `not-found`, `format`; nothing is left behind then
 */
export async function exportJob(options: ExportJobOptions): Promise<ExportSummary> {
  checkOptions('exportJob', options, EXPORT_CHECKS, ['container', 'target']);
  if (options.salvage && options.workers)
    throw new ClfsError('usage', 'What is salvaged is read where it was put together: it cannot be left to workers.');
  keepFreedMemory();
  const { internals = {}, workers } = options;
  if (workers && !internals.workers) {
    requireWorkers(workers);
    await requireServer(workers, { signal: options.signal, isResumed: options.newSession === false });
  }
  const parsed: ParsedContainer = internals.container
    ? { place: { kind: 'local', directory: '/in-memory' }, query: '' }
    : parseContainer(options.container);
  const cap = readCap(parsed.place, options.capMbps);
  const identity = await openIdentity(parsed, options.identity);
  const { onMessage, signal = new AbortController().signal, stallWarningMs } = options;
  const waits = new JobWaits(internals.clock ?? systemClock, signal, (text) => onMessage?.(text), stallWarningMs);
  try {
    const retryWindowMs = options.retryWindowMs ?? DEFAULT_RETRY_WINDOW_MS;
    const container =
      internals.container ??
      (await openContainer(parsed.place, identity.authorization, {
        retryWindowMs,
        traffic: new Traffic(1),
        readLimit: cap?.limit,
        onWaiting: options.onMessage,
        signal: options.signal,
        waits: waits.slot('container'),
        mayBlock: false,
      }));
    try {
      const pace = new Pace(options.signal);
      const readerBy = (finder: ObjectFinder, overlay?: ReaderOverlay) =>
        new ContainerReader(container, finder, openLz4(), internals.geometry ?? GEOMETRY, pace, overlay);
      if (!options.salvage) {
        const reader = readerBy(createDirectFinder(container, pace));
        return await new ExportJob(options, parsed, identity, waits, { reader, cap, pace }).run();
      }
      const salvaged = await openSalvage(container, readerBy, {
        onPage: options.onListed,
        pace,
        memoryObjects: internals.memoryObjects,
        signal: options.signal,
        onProgress: options.onSalvaging,
      });
      try {
        const { reader } = salvaged;
        return await new ExportJob(options, parsed, identity, waits, { reader, cap, pace, salvaged }).run();
      } finally {
        salvaged.close();
      }
    } finally {
      if (!internals.container) await container.close();
    }
  } catch (error) {
    // The disk may fail while the job begins, or while its end is told, too.
    throw writeTrouble(error, 'the state of the export', 'and repeat it: it goes on where it stopped');
  } finally {
    waits.close();
    identity.close();
  }
}

/** What a job finds when it begins, to be recorded. What is mounted below its target is of no account to one file. */
async function found(target: OpenTarget, listing: Listing | undefined) {
  const { inode, place } = target.mark;
  const mounts = listing && (await recordedMounts(target));
  return { listing: listing?.hash, mounts, targetInode: String(inode), targetPlace: place };
}

/** The one file that is exported. */
interface ExportedFile {
  readonly name: Buffer;
  readonly handle: Uint8Array;
  readonly sizeBytes: number;
}

/** What is known before of the content that is to be written. */
function contentTotalOf(listing: Listing | undefined, file: ExportedFile | undefined): ContentTotal | undefined {
  if (file) return { bytes: file.sizeBytes, stored: false };
  return listing?.contentBytes === undefined ? undefined : { bytes: listing.contentBytes, stored: true };
}

/** How long a target that is not to be written is waited for. */
const LAST_CALLS_MS = 2000;

/** One call of {@link exportJob}. */
class ExportJob {
  readonly #options: ExportJobOptions;
  readonly #parsed: ParsedContainer;
  readonly #identity: Identity;
  readonly #reading: Reading;
  readonly #waits: JobWaits;

  constructor(
    options: ExportJobOptions,
    parsed: ParsedContainer,
    identity: Identity,
    waits: JobWaits,
    reading: Reading,
  ) {
    this.#waits = waits;
    this.#options = options;
    this.#parsed = parsed;
    this.#identity = identity;
    this.#reading = reading;
  }

  async run(): Promise<ExportSummary> {
    const {
      path = new Uint8Array(0),
      target,
      statePath,
      newSession = true,
      internals = {},
      choice = ALL,
      overwrite = 'if-different',
      sparse = false,
    } = this.#options;
    const hooks = internals.hooks ?? {};
    const start = await lookUp(this.#reading.reader, path);
    const isTree = start.found.inode.attributes.type === ObjectType.directory;
    const waits = this.#waits.of('target');
    const given = Buffer.from(target as string);
    const where = await waits.during(given, () => targetPath(target, isTree ? undefined : fileNameOf(start.path)));
    const wish: ExportWish = {
      ...(await identifyContainer(this.#reading.reader)),
      ...(this.#reading.salvaged && { rootName: salvageRootName(this.#reading.salvaged.listingHash) }),
      container: placeText(this.#parsed.place),
      pathHex: start.path.toString('hex'),
      handleHex: Buffer.from(start.found.id).toString('hex'),
      isTree,
      targetHex: where.directory.toString('hex'),
      nameHex: where.name?.toString('hex') ?? '',
      overwrite,
      sparse,
      choice,
      asRoot: process.geteuid?.() === 0,
    };
    await this.#requireApart(where, isTree);
    await waits.during(given, () => requirePlace(where, start.found.inode.attributes.type));
    const { directory, state: before } = claimState(
      { statePath, newSession, defaultPath: statePath ?? where.defaultState() },
      wish,
      hooks,
    );
    let state = before;
    let opened: OpenTarget | undefined;
    let begun = false;
    let listing: Listing | undefined;
    try {
      if (before)
        this.#options.onMessage?.(`Going on with the export whose state is in ${JSON.stringify(directory.path)}.`);
      listing = isTree ? await listObjects(this.#reading, this.#options, start.path.length === 0) : undefined;
      opened = await waits.during(
        given,
        () => (before ? openSameTarget(before, where.directory, directory.path) : openTarget(where.directory, isTree)),
        (late) => void (before ? late.close() : late.discard()),
      );
      const target = opened;
      const nowMs = (internals.clock ?? systemClock).now();
      const say = (text: string) => this.#options.onMessage?.(text);
      if (before && listing) {
        const now = { listing: listing.hash, rootName: wish.rootName };
        await waits.during(given, () => goOnWithTree(before, target, now, { statePath: directory.path, say }));
      }
      const current =
        state ?? createState(directory, wish, await waits.during(given, () => found(target, listing)), hooks, nowMs);
      state = current;
      try {
        await waits.during(given, () => recordTarget(current, target, say));
      } finally {
        // A stop may leave a file by which the target was asked: it is of this job, which removes it when it goes on.
        begun = this.#options.signal?.aborted === true;
      }
      begun = true;
      const { lengthBytes } = start.found.inode.attributes;
      const file = where.name && { name: where.name, handle: start.found.id, sizeBytes: Number(lengthBytes) };
      const { isSettled, ...summary } = await this.#session(current, directory, opened, listing, file);
      // What still runs may use its descriptors: then they are closed with the process.
      if (!isSettled) opened = undefined;
      const isWhole = summary.status === 'Completed' && statePath === undefined;
      if (!isWhole || !current.isMine) return summary;
      current.close();
      state = undefined;
      if (!removeState(directory))
        say(
          `The state of the export in ${JSON.stringify(directory.path)} could not be removed. Nothing needs it any more: remove it.`,
        );
      return { ...summary, statePath: undefined };
    } finally {
      listing?.close();
      if (!begun && !before) {
        await atMost(systemClock, LAST_CALLS_MS, opened?.discard() ?? Promise.resolve());
        const isMine = state?.isMine;
        state?.close();
        directory.discard(isMine);
      } else {
        state?.close();
        opened?.close();
        directory.release();
      }
    }
  }

  /** Nothing may be written into the container, nor what is kept of the job into its target. @throws ClfsError `usage` */
  async #requireApart(where: TargetPath, isTree: boolean): Promise<void> {
    const { directory, name } = where;
    const { statePath, internals } = this.#options;
    const { place } = this.#parsed;
    const named = (what: WaitedPlace, path: string | Uint8Array) =>
      this.#waits.of(what).during(path, () => namedPlace(what, path));
    const state = await named('state directory', statePath ?? where.defaultState());
    if (isTree && statePath !== undefined) requireApart(state, await named('target', directory));
    if (place.kind !== 'local' || internals?.container) return;
    const container = await named('container', place.directory);
    requireApart(await named('target', name ? joinPath(directory, name) : directory), container);
    requireApart(state, container);
  }

  async #session(
    state: ExportState,
    directory: StateDirectory,
    target: OpenTarget,
    listing: Listing | undefined,
    file: ExportedFile | undefined,
  ): Promise<ExportSummary & { readonly isSettled: boolean }> {
    const { internals = {}, signal = new AbortController().signal } = this.#options;
    const { record } = state;
    const clock = internals.clock ?? systemClock;
    const log = openJobLog(directory.file('clfsload.log'), 'INFO', redact);
    let workersFile: WorkersFile | undefined;
    this.#waits.log = log;
    forgetWorkers(directory.file(WORKERS_FILE));
    try {
      const constants: ExportConstants = {
        overwrite: record.overwrite,
        sparse: record.sparse,
        choice: record.choice,
        isTree: record.isTree,
        isShared: this.#options.workers !== undefined,
        isResumed: record.sessions > 0,
        temporaryPrefix: temporaryPrefixOf(record.jobId),
        geometry: internals.geometry ?? GEOMETRY,
        folding: record.folding ?? EXACT_NAMES,
        // What is mounted in it may keep more: there nothing may be taken for lost.
        kept: (target.mounted.length === 0 && record.kept) || KEPT_WHOLE,
      };
      const context = new ExportJobContext({
        state,
        constants,
        log,
        clock,
        total: listing?.total ?? (file ? 1 : undefined),
        contentTotal: contentTotalOf(listing, file),
        onFailure: (...failure) => this.#options.onFailure?.(...failure),
      });
      const { runner, pool, traffic, close } = await openExportLanes({
        options: this.#options,
        place: this.#parsed.place,
        container: this.#reading.reader.container,
        identity: this.#identity,
        cap: this.#reading.cap,
        overlay: this.#reading.salvaged?.overlay,
        record,
        constants,
        objects: listing?.objects,
        target,
        log,
        stalls: this.#waits.stalls,
      });
      context.readSoFar = () => joinTotals(traffic);
      // One that a session before has left is of no use to anybody.
      if (pool || constants.isResumed) context.beforeRoot = () => endProbe(target, constants);
      const session = new ExportSession({
        options: this.#options,
        context,
        directory,
        runner,
        traffic,
        signal,
        workers: pool && (() => pool.workers.present.length),
        onlyRemote: isOnlyRemote(this.#options),
        file,
      });
      workersFile =
        pool &&
        new WorkersFile(
          directory.file(WORKERS_FILE),
          clock,
          () => pool.workers.presence,
          () => state.requireMine(),
        );
      const { status, error, progress, isSettled } = await session.run();
      // A target that does not answer is not asked for anything more.
      if (isSettled) await close();
      const problemsFile = progress.failed > 0 ? directory.file('problems.txt') : undefined;
      const failures = state.failureGroups();
      return {
        isSettled,
        status,
        error,
        progress,
        problemsFile,
        failures,
        notKept: lostAttributes(record.kept ?? KEPT_WHOLE),
        statePath: directory.path,
        salvage: this.#reading.salvaged?.counts,
      };
    } finally {
      workersFile?.close();
      log.close();
    }
  }
}
