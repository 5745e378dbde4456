import type { LoadSpec, RunSettings } from '../job/load-spec.js';
import type { SourcePlace } from '../source/source-place.js';

/** How a job calls its source. Plain JSON. */
export interface SourceCalls {
  /** One after another in each lane, or many at once that leave it free. */
  readonly way: 'synchronous' | 'asynchronous';
  /** Milliseconds that one takes; 0 where that has not been measured. */
  readonly callMs: number;
  /** Under way now, and at most. */
  readonly inFlight: number;
  readonly mostInFlight: number;
}

/** What is the same for a job from first to last, and what its end needs. No secret of the service is in it. */
export interface JobRecord {
  readonly program: string;
  readonly spec: LoadSpec;
  /** Of the latest session. */
  readonly settings: RunSettings;
  readonly bucketUuid: string;
  /** Length of the manifest so far; undefined when none is written. */
  readonly manifestBytes: number | undefined;
  /** Whether something that had failed was tried again. */
  readonly repaired: boolean;
  readonly containerId: number;
  readonly fsid: number;
  /** Key of the job's ids. */
  readonly secretHex: string;
  readonly massUuid: string;
  readonly wipeEpoch: string;
  readonly jobId: string;
  /** Whether the bucket object was created. */
  readonly begun: boolean;
  /**
   * Whether the service gives back what was put. One that discards it, as some test services do, cannot be checked
   * later.
   */
  readonly readsBack: boolean;
  /** Whether the end of the job has begun: the root may be there. */
  readonly committing: boolean;
  /** Whether the root has been written. */
  readonly committed: boolean;
  /** Final status of the latest session; empty while one runs. */
  readonly finalStatus: string;
  readonly sessions: number;
  /** When the latest session began, in milliseconds since 1970, and what was done by then. */
  readonly sessionStart: { readonly ms: number; readonly done: number; readonly bytes: number };
  /** Whether no put of the sessions before can still take effect. */
  readonly settled: boolean;
  /**
   * How long after its end workers elsewhere of the latest session, or of one before that was not settled, can still have
   * an effect, in milliseconds; absent: there were none.
   */
  readonly remoteLateMs?: number;
  /** Names of the log blobs that the bucket object lists. */
  readonly logNames: readonly string[];
  /** Names of log blobs that it listed before, to be removed. */
  readonly formerLogNames: readonly string[];
  /** Program and LZ4 library that built the objects: the same ones build the same bytes again. */
  readonly encoder: string;
  /** Whether the job has a tally from its first object on; a job of 0.1.0 has none. */
  readonly books: boolean;
  /** Why the container's listing was not compared with the tally before the commit; empty when it was, or not yet. */
  readonly notChecked: string;
  /** Where the source is; absent where that cannot be told, and before version 0.2.0. */
  readonly sourcePlace?: SourcePlace;
  /** How the source is called; absent before it is known. */
  readonly sourceCalls?: SourceCalls;
  /** Sentences on what of the source the format cannot hold; absent while nobody has gone over all of it. */
  readonly unheld?: readonly string[];
  /**
   * Names that had failed and were not found any more by later sessions, and the path of the first, in hex; absent where
   * there were none.
   */
  readonly gone?: { readonly names: number; readonly firstHex: string };
  /** Thousandths of the work that were done when this was written. */
  readonly permille: number;
  /** Entries and bytes of the source, as a pass over all of it found them; absent before. */
  readonly sized?: { readonly entries: number; readonly bytes: number };
}

/** What version 0.1.0 recorded in place of a spec, and did not record. */
interface RecordBefore extends Omit<JobRecord, 'spec'> {
  readonly spec?: LoadSpec;
  readonly sourceHex: string;
  readonly container: string;
  readonly compress: boolean;
  readonly preserveHardLinks: boolean;
  readonly selection: LoadSpec['selection'];
}

/** What the records of earlier versions lack. */
const LACKING = {
  permille: 0,
  settings: {},
  settled: false,
  formerLogNames: [],
  encoder: '',
  books: false,
  notChecked: '',
};

/** Reads a record, also that of an earlier version. */
export function decodeRecord(json: string): JobRecord {
  const record: RecordBefore = { ...LACKING, ...(JSON.parse(json) as RecordBefore) };
  // As a program before 0.2.0 was released had it.
  if (typeof record.sourcePlace?.root !== 'object') Object.assign(record, { sourcePlace: undefined });
  if (record.spec) return { ...record, spec: record.spec };
  const { sourceHex, container, compress, preserveHardLinks, selection, ...rest } = record;
  const manifest = rest.manifestBytes === undefined ? {} : { manifest: '' };
  const compression = compress ? 'LZ4' : 'DISABLED';
  return {
    ...rest,
    spec: { kind: 'load', sourceHex, container, compression, preserveHardLinks, selection, ...manifest },
  };
}
