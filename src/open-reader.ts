import { type AuditCrew, type CrewOptions, openAuditCrew } from './audit/open-crew.js';
import type { Container } from './container/container.js';
import type { ContentRead } from './container/content-read.js';
import { openContainer, parseContainer } from './container/open-container.js';
import { readCap } from './container/read-cap.js';
import { joinTotals, Traffic } from './container/traffic.js';
import { ClfsError } from './error.js';
import { GEOMETRY } from './format/geometry.js';
import { type IdentityOptions, openIdentity } from './identity/identity.js';
import { openLz4 } from './lz4/lz4.js';
import { createDirectFinder } from './namespace/object-finder.js';
import { indexContainer, type ObjectIndex } from './namespace/object-index.js';
import { Pace } from './namespace/pace.js';
import { ContainerReader } from './namespace/reader.js';
import { checkOptions, option } from './option-checks.js';
import { namedPlace, requireApart } from './paths/places-apart.js';
import { type OpenSalvage, openSalvage } from './salvage/open-salvage.js';
import { openSource } from './source/posix-source.js';
import type { SourceTree } from './source/source-tree.js';
import { systemClock } from './time/clock.js';
import { JobWaits } from './waits/job-waits.js';

/** How a container is opened for reading. */
export interface ReaderOptions {
  /** Most that is read from a service, in megabits per second, by all lanes and workers together. Default 0: no cap. */
  readonly capMbps?: number;
  /** How long an unreachable service is waited for, in milliseconds. Default 60,000. */
  readonly retryWindowMs?: number;
  /**
   * Told, in a whole sentence, when the host has not answered for two seconds at the beginning, and when a file system
   * does not answer for long.
   */
  readonly onWaiting?: (text: string) => void;
  /**
   * After how long a call of a container on disk, or of a source, that is not answered is spoken of, in milliseconds.
   * Default 60,000.
   */
  readonly stallWarningMs?: number;
  /** When it is aborted, reading ends soon, with its reason. */
  readonly signal?: AbortSignal;
  /** How to log in where the URL has no SAS. */
  readonly identity?: IdentityOptions;
}

const READER_CHECKS = {
  capMbps: option.amount,
  retryWindowMs: option.amount,
  onWaiting: option.call,
  stallWarningMs: option.amount,
  signal: option.signal,
  identity: option.fields,
} as const satisfies Record<keyof ReaderOptions, unknown>;

/** A container that is open for reading. To be closed. */
export interface OpenReader {
  readonly container: Container;
  /** Finds each object by asking for it: for single paths. */
  readonly reader: ContainerReader;
  /**
   * Opens a directory tree that the container is compared with; while it does not answer, that is told as what the
   * container does not. To be closed.
   *
   * @throws ClfsError `source`
   */
  source(path: Uint8Array): Promise<SourceTree>;
  /** Lists the container, and reads by that listing: for whole trees. The index is closed with the rest. */
  index(onPage?: (blobs: number) => void): Promise<{ readonly reader: ContainerReader; readonly index: ObjectIndex }>;
  /** Lists the container, and reads what can be reached in it without its root. To be closed before the rest. */
  salvage(options?: {
    readonly onListed?: (blobs: number) => void;
    readonly onProgress?: (inodes: number) => void;
  }): Promise<OpenSalvage>;
  /**
   * Opens lanes that read the container by a listing of it, for what reads it whole. To be closed before the rest.
   *
   * @throws as `openReader`
   */
  crew(index: ObjectIndex, options: CrewOptions): Promise<AuditCrew>;
  /**
   * Refuses a place where something is to be written that is in the container, or around it: one on disk.
   *
   * @param what it is, for the message
   * @throws ClfsError `usage`
   */
  requireApart(what: string, path: string | Uint8Array): Promise<void>;
  /** What has been read of the content of files: by what `index` gave, and by lanes. */
  contentRead(): ContentRead;
  /** How the service answers. */
  service(): ServiceFigures;
  close(): Promise<void>;
}

/** How a service has answered so far; of a container on disk all is 0. */
export interface ServiceFigures {
  /** Requests that were repeated. */
  readonly retries: number;
  /** Since when it has not answered, in milliseconds since 1970; 0 while it does. */
  readonly waitingSinceMs: number;
}

const DEFAULT_RETRY_WINDOW_MS = 60_000;

/**
 * Opens a container for reading: a URL, a `file://` URL, or the path of a directory of blobs.
 *
 * @throws ClfsError `usage`, `access-denied`, `container-missing`
 */
export async function openReader(text: string, options: ReaderOptions = {}): Promise<OpenReader> {
  if (typeof text !== 'string') throw new ClfsError('usage', 'openReader takes a container as text: a URL or a path.');
  checkOptions('openReader', options, READER_CHECKS);
  const parsed = parseContainer(text);
  const retryWindowMs = options.retryWindowMs ?? DEFAULT_RETRY_WINDOW_MS;
  const { signal = new AbortController().signal, onWaiting, stallWarningMs } = options;
  const cap = readCap(parsed.place, options.capMbps);
  const identity = await openIdentity(parsed, options.identity);
  const waits = new JobWaits(systemClock, signal, (text) => onWaiting?.(text), stallWarningMs);
  // Each lane has its own, since the number of connections that it may have goes by the places in it.
  const traffic = [new Traffic(1)];
  let container: Container;
  try {
    container = await openContainer(parsed.place, identity.authorization, {
      retryWindowMs,
      traffic: traffic[0],
      readLimit: cap?.limit,
      onWaiting,
      signal: options.signal,
      keepsNames: true,
      waits: waits.slot('container'),
      mayBlock: false,
    });
  } catch (error) {
    waits.close();
    identity.close();
    throw error;
  }
  const lz4 = openLz4();
  const pace = new Pace(options.signal);
  const indexes: ObjectIndex[] = [];
  return {
    container,
    reader: new ContainerReader(container, createDirectFinder(container, pace), lz4, GEOMETRY, pace),
    source: (path) =>
      waits.of('source').during(
        path,
        () => openSource(path),
        (late) => late.close(),
      ),
    async index(onPage) {
      const index = await indexContainer(container, { onPage, pace });
      indexes.push(index);
      return { reader: new ContainerReader(container, index, lz4, GEOMETRY, pace, undefined, traffic[0]), index };
    },
    salvage: ({ onListed, onProgress } = {}) =>
      openSalvage(
        container,
        (finder, overlay) => new ContainerReader(container, finder, lz4, GEOMETRY, pace, overlay),
        {
          onPage: onListed,
          pace,
          signal: options.signal,
          onProgress,
        },
      ),
    crew: (index, crewOptions) =>
      openAuditCrew(
        {
          place: parsed.place,
          identity,
          cap,
          index,
          reader: new ContainerReader(container, index, lz4, GEOMETRY, pace),
          retryWindowMs,
          signal: options.signal,
          pace,
          stalls: waits.stalls,
          traffic,
        },
        crewOptions,
      ),
    async requireApart(what, path) {
      const { place } = parsed;
      if (place.kind !== 'local') return;
      requireApart(await namedPlace(what, path), await namedPlace('container', place.directory));
    },
    contentRead: () => joinTotals(traffic),
    service() {
      const { retries, waitingSince: waitingSinceMs } = joinTotals(traffic);
      return { retries, waitingSinceMs };
    },
    async close() {
      waits.close();
      for (const index of indexes) index.close();
      identity.close();
      await container.close();
    },
  };
}
