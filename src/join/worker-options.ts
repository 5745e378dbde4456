import type { IdentityOptions } from '../identity/identity.js';

/** How a worker takes part in jobs of other machines. */
export interface WorkerOptions {
  /** Server by which it finds them: `nats://HOST:PORT` or `tls://HOST:PORT`, without credentials. */
  readonly join: string;
  /** Where the source is on this machine, for jobs that have one. Default: where it is on the driver's. */
  readonly source?: Uint8Array;
  /** The directory that an export writes to, on this machine. Default: where it is on the driver's. */
  readonly target?: Uint8Array;
  /**
   * The container with what lets this worker in, such as a SAS, or where it is on this machine; a function is asked anew
   * each time that the worker begins in a job, since what lets it in may have been renewed. Default: as the job says.
   */
  readonly container?: string | (() => string);
  readonly threads: number;
  readonly identity?: Pick<IdentityOptions, 'trustedSuffixes' | 'onPrompt'>;
  /** Ends the worker, once it has done what it has. */
  readonly signal: AbortSignal;
  /** Told what happens, in sentences. */
  report(text: string): void;
}
