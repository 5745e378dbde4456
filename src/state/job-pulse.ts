import type { RecordedCensus } from './job-census.js';
import type { SourceCalls } from './job-record.js';

/** Where a running job stands, beyond its counters. Plain JSON, written now and then. */
export interface JobPulse {
  readonly phase: string;
  /** Milliseconds since the session began. */
  readonly elapsedMs: number;
  /** Entries and bytes in all; absent while they are not known. */
  readonly total?: number;
  readonly bytesTotal?: number;
  /** Milliseconds that the listing of the container is expected to take in the end; absent where none is. */
  readonly listingMs?: number;
  /** Of the session. */
  readonly requests: number;
  readonly retries: number;
  readonly throttled: number;
  readonly bytesOnWire: number;
  /** Requests to the service in flight, and how many there may be. */
  readonly inFlight: number;
  readonly limit: number;
  /** Lanes of this process that have work, and all of them. */
  readonly lanes: number;
  readonly mostLanes: number;
  /** Workers on other machines; absent where none can be. */
  readonly workers?: number;
  /** Since when, in milliseconds since 1970, the service does not answer; 0 when it does. */
  readonly waitingSinceMs: number;
  /** How the source is called, and whether it answers. */
  readonly source?: {
    readonly calls: SourceCalls;
    readonly awaySinceMs: number;
    readonly stalled?: { readonly sinceMs: number; readonly pathHex: string };
  };
  readonly census: RecordedCensus;
}
