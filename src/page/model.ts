/** What the page shows of a job: plain JSON, the same for the page, the report and the metrics. Text is escaped as it is everywhere. */
export interface PageModel {
  readonly job: PageJob;
  readonly now: PageNow;
  readonly series: PageSeries;
  readonly census: PageCensus;
  readonly failures: PageFailures;
  readonly workers: PageWorkers;
  /** The latest lines of the log, oldest first. */
  readonly log: readonly string[];
}

/** What it is. */
export interface PageJob {
  readonly program: string;
  /** `job`: another command, which has no state. */
  readonly kind: 'load' | 'export' | 'command';
  /** In a word or two: `Load`, `Export`, `verify`. */
  readonly title: string;
  /** Empty where there is none. */
  readonly id: string;
  /** What is read, and what is written; empty where there is none. */
  readonly from: string;
  readonly to: string;
  /** Where the state is; empty where there is none. */
  readonly statePath: string;
  readonly settings: readonly (readonly [name: string, value: string])[];
  /** In order; those that a job may do without included. */
  readonly phases: readonly string[];
  /** What is counted, in the plural. */
  readonly unit: string;
}

/** Where it stands. What is absent is not known, or not there. */
export interface PageNow {
  /** When that was looked up, in milliseconds since 1970. */
  readonly atMs: number;
  readonly state: 'starting' | 'running' | 'stopped' | 'finished';
  /** Of the latest session; empty while it runs, or when it was killed. */
  readonly finalStatus: string;
  readonly session: number;
  /** When the job last recorded something. */
  readonly aliveMs?: number;
  readonly phase: string;
  readonly permille?: number;
  readonly done: number;
  readonly total?: number;
  readonly failed: number;
  /** Left out by the user's choice. */
  readonly excluded: number;
  readonly bytes: number;
  readonly bytesTotal?: number;
  /** Counts that only some jobs have, such as `replaced`. */
  readonly further: readonly (readonly [name: string, count: number])[];
  /** Time that the job has run, all its sessions together, and the present or latest one. */
  readonly workedMs: number;
  readonly sessionMs?: number;
  /** At present; absent when it does not run. */
  readonly entriesPerSecond?: number;
  readonly bytesPerSecond?: number;
  readonly secondsLeft?: number;
  /** Over all sessions. */
  readonly requests: number;
  readonly retries: number;
  readonly throttled: number;
  readonly inFlight?: number;
  readonly limit?: number;
  readonly lanes?: number;
  readonly mostLanes?: number;
  readonly workers?: number;
  /** Since when the service does not answer, in milliseconds since 1970. */
  readonly waitingSinceMs?: number;
  readonly source?: PageSource;
  /** What the comparison of the container's listing with the books said. */
  readonly listing?: { readonly checked: boolean; readonly text: string };
  /** Sentences that the reader should know. */
  readonly notes: readonly string[];
}

/** How the source is called. */
export interface PageSource {
  readonly way: 'synchronous' | 'asynchronous';
  readonly callMs: number;
  readonly inFlight: number;
  readonly mostInFlight: number;
  /** Since when nothing of it can be read, or one thing has not been answered. */
  readonly awaySinceMs?: number;
  readonly stalledSinceMs?: number;
  readonly stalledPath?: string;
}

/** Workers on other machines: those that take part, and those that have gone lately; of a job that has ended, as it stood last. */
export interface PageWorkers {
  readonly present: number;
  /** Of those who are present: that do much less a thread than the others. */
  readonly slow: number;
  /** Of those who are present: whom something does not answer. */
  readonly troubled: number;
  readonly gone: number;
  /** Some of them where there are very many: who is slow or in trouble comes first, and who has gone last. */
  readonly rows: readonly PageWorker[];
}

/** A worker on another machine. */
export interface PageWorker {
  /** Host and process. */
  readonly name: string;
  readonly threads: number;
  /** Since when it takes part, in milliseconds since 1970. */
  readonly sinceMs: number;
  readonly tasks: number;
  /** Of late, in units of about one small file, and in bytes sent to the service or received from it. */
  readonly unitsPerSecond: number;
  readonly bytesPerSecond: number;
  /** The same, since it takes part. */
  readonly units: number;
  readonly bytes: number;
  readonly slow: boolean;
  /** What does not answer it, or why it has gone. */
  readonly trouble?: string;
  /** When it has gone, in milliseconds since 1970; absent: it is there. */
  readonly goneMs?: number;
}

/** Names of the columns of {@link PageSeries}. */
export const SERIES_COLUMNS = [
  'endMs',
  'spanMs',
  'session',
  'entries',
  'bytes',
  'requests',
  'retries',
  'throttled',
  'inFlight',
  'lanes',
  'workers',
  'sourceCalls',
] as const;
export type SeriesColumn = (typeof SERIES_COLUMNS)[number];

/** Stretches of the job's time, oldest first: a row each, its numbers in the order of {@link SERIES_COLUMNS}. */
export type PageSeries = readonly (readonly number[])[];

/** What has been done, by type, size and directory. */
export interface PageCensus {
  readonly types: readonly { readonly name: string; readonly count: number }[];
  /** Regular files: each class up to the first that is not empty, with its upper bound in bytes; absent: no bound. */
  readonly sizes: readonly { readonly below?: number; readonly count: number }[];
  /** Largest first, by what is directly in them. */
  readonly directories: readonly { readonly path: string; readonly entries: number; readonly bytes: number }[];
}

/** What failed. */
export interface PageFailures {
  readonly groups: readonly { readonly reason: string; readonly entries: number; readonly first: readonly string[] }[];
  /** Names that are listed: of a linked file each one. */
  readonly listed: number;
}

/** An entry that failed. */
export interface PageFailure {
  readonly path: string;
  readonly reason: string;
  readonly message: string;
  readonly attempts: number;
  readonly timeMs: number;
}

/** What a search has found. */
export interface FoundFailures {
  readonly rows: readonly PageFailure[];
  /** Where the search is to go on; absent: nothing is left. */
  readonly next?: number;
}

/** What a report holds. */
export interface PageReport {
  readonly model: PageModel;
  readonly failures: FoundFailures;
}

/** How a job ended, for a page whose job leaves nothing behind. */
export interface PageEnding {
  readonly finalStatus: string;
  readonly done: number;
  readonly failed: number;
  readonly bytes: number;
}
