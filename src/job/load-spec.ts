import { resolve } from 'node:path';
import { ClfsError } from '../error.js';
import { EVERYTHING, type Selection, selectionText } from '../source/selection.js';
import { quotePath } from '../text/escape-path.js';

/** Compression of what a load writes. */
export type Compression = 'LZ4' | 'DISABLED';

/**
 * What a load is: recorded when it begins, compared when it goes on, and handed to every lane. Plain JSON.
 *
 * How its sessions run (rate, threads, limits) is no part of it: see {@link RunSettings}.
 */
export interface LoadSpec {
  readonly kind: 'load';
  /** Absolute path of the source, its bytes in hex. */
  readonly sourceHex: string;
  /** The container without its SAS: a URL, or an absolute path. */
  readonly container: string;
  readonly compression: Compression;
  /** One inode for a file with several links, in place of one a path. */
  readonly preserveHardLinks: boolean;
  readonly selection: Selection;
  /**
   * Absolute path of the manifest that is written at the end; empty: wanted, but not recorded where (by 0.1.0); absent:
   * none.
   */
  readonly manifest?: string;
}

/**
 * How the sessions of a job run. Each session may be told otherwise; one that is named by its state alone takes what it
 * is not told from the one before. Plain JSON.
 */
export interface RunSettings {
  /** Failures that are tolerated; one more stops the job. Default 50. */
  readonly maxErrors?: number;
  /** Megabits per second on the wire; 0 (default): no cap. */
  readonly capMbps?: number;
  /**
   * Requests in flight, at most: where the service does not answer in time, or asks for less, fewer for a while.
   * 0 (default): adapted to the service.
   */
  readonly concurrency?: number;
  /** Worker threads, 0 for none beside the main one; default: the number of processors, at most 16. */
  readonly threads?: number;
  /** Size the tree beside the load, once it has taken a while, so that the end can be foretold. Default true. */
  readonly estimate?: boolean;
  /**
   * Directory for the log file, which is named by the job's id there. Default: `clfsload.log` in the state directory.
   */
  readonly logDirectory?: string;
  /** How long an unreachable service is waited for, in milliseconds. Default: without end. */
  readonly retryWindowMs?: number;
  /** Longest time that the service may go on with a put which was given up, in milliseconds. Default 235,000. */
  readonly lateArrivalMs?: number;
  /**
   * Server by which workers on other machines take part, `nats://HOST:PORT` or `tls://HOST:PORT`, without credentials.
   * Default, and with an empty text: none.
   */
  readonly workers?: string;
  /** How long these go on without an answer of the driver, in milliseconds. Default 30,000. */
  readonly leaseMs?: number;
  /** After how long a call of the source that is not answered is spoken of, in milliseconds. Default 60,000. */
  readonly stallWarningMs?: number;
  /** Compare the container's listing with what was put, before the job commits. Default true. */
  readonly checkListing?: boolean;
}

/** What is said of a load when it begins or goes on; what is left out is the default, or as it was. */
export interface LoadWish {
  readonly source?: Uint8Array;
  readonly container?: string;
  readonly compression?: Compression;
  readonly preserveHardLinks?: boolean;
  readonly selection?: Selection;
  readonly manifest?: string;
}

/** Absolute path of a load's source. */
export function sourcePath(spec: Pick<LoadSpec, 'sourceHex'>): Buffer {
  return Buffer.from(spec.sourceHex, 'hex');
}

/** The spec of a new load. @throws ClfsError `usage` without source or container */
export function newLoadSpec(wish: LoadWish): LoadSpec {
  const { source, container, compression = 'LZ4', preserveHardLinks = false, selection = EVERYTHING, manifest } = wish;
  if (!source) throw new ClfsError('usage', 'Name the directory to load.');
  if (container === undefined) throw new ClfsError('usage', 'Name the container to load into.');
  return {
    kind: 'load',
    sourceHex: Buffer.from(source).toString('hex'),
    container,
    compression,
    preserveHardLinks,
    selection,
    ...(manifest === undefined ? {} : { manifest: resolve(manifest) }),
  };
}

/**
 * The spec of a load that goes on: as it was recorded, but for where its container is reached and its manifest is
 * written.
 *
 * @throws ClfsError `usage` naming what is wanted otherwise than recorded
 */
export function resumedLoadSpec(recorded: LoadSpec, wish: LoadWish, statePath: string): LoadSpec {
  const require = (what: string, was: string, is: string) => {
    if (was === is) return;
    const job = `The job in ${JSON.stringify(statePath)} was started with ${what} ${was}, not ${is}.`;
    throw new ClfsError('usage', `${job} Go on with the same arguments or leave them out, or start a new job.`);
  };
  const { source, compression, preserveHardLinks, selection, manifest, container = recorded.container } = wish;
  if (source && recorded.sourceHex !== Buffer.from(source).toString('hex')) {
    require('source', quotePath(sourcePath(recorded)), quotePath(source));
  }
  if (compression !== undefined) require('compression', recorded.compression, compression);
  if (preserveHardLinks !== undefined) {
    require('--preserve-hardlinks', String(recorded.preserveHardLinks), String(preserveHardLinks));
  }
  if (selection) {
    require('the choice', selectionText(recorded.selection) || 'everything', selectionText(selection) || 'everything');
  }
  if (manifest !== undefined && recorded.manifest === undefined) require('--manifest', 'false', 'true');
  if (manifest === undefined && recorded.manifest === '') {
    throw new ClfsError(
      'usage',
      'The job writes a manifest, and was begun by a version that has not recorded where: name it by --manifest=FILE.',
    );
  }
  return { ...recorded, container, ...(manifest === undefined ? {} : { manifest: resolve(manifest) }) };
}
