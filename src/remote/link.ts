/*
 * What carries messages between a driver and its workers: NATS, or memory in tests. Any message may be lost, come
 * twice, late, or in another order.
 */

/** What a driver does with what it is asked. */
export interface Listener {
  /** Somebody asks for work. @returns what to answer; undefined: nothing */
  candidate(bytes: Uint8Array): Uint8Array | undefined;
  /** A worker asks. `answer` may be called later, or never: who asked will ask again. */
  question(bytes: Uint8Array, answer: (bytes: Uint8Array) => void): void;
  /** The server does not permit something that a driver needs. */
  refused(reason: string): void;
  /** The way to the workers is open, or closed. */
  connected(open: boolean): void;
}

/** A driver's end. */
export interface DriverLink {
  /** Bytes that a message may have. */
  readonly longestBytes: number;
  /** Where workers find tickets. Another one when the former was lost: what was offered is then offered again. */
  readonly queue: string;
  listen(listener: Listener): void;
  /** Puts a ticket into the queue: one worker gets it, or later another one too. */
  offer(ticket: number): void;
  /** A ticket need not be offered again. */
  withdraw(ticket: number): void;
  close(): Promise<void>;
}

/**
 * Opens a driver's end.
 *
 * @param names of the job, and of the session of its driver: never that of another one
 * @throws ClfsError `workers`
 */
export type OpenDriverLink = (names: { readonly job: string; readonly epoch: string }) => Promise<DriverLink>;

/** A ticket as a worker finds it. */
export interface Delivery {
  readonly ticket: number;
  /** How often it was given out, this time included. */
  readonly deliveries: number;
  /** It need not be given to anybody else. */
  accept(): void;
  /** It is given to somebody else at once. */
  refuse(): void;
}

/** A worker's end. */
export interface WorkerLink {
  readonly longestBytes: number;
  /** Asks all drivers for work. @returns the first answer; undefined when there was none in time */
  apply(bytes: Uint8Array, waitMs: number): Promise<Uint8Array | undefined>;
  /** Asks a driver. @returns undefined when there was no answer in time */
  ask(epoch: string, bytes: Uint8Array, waitMs: number): Promise<Uint8Array | undefined>;
  /** Waits for tickets, up to `most` of them, for `waitMs`, a second at least. @returns what trouble there was; it is as if there were none */
  pull(queue: string, most: number, waitMs: number, found: (delivery: Delivery) => void): Promise<string | undefined>;
  close(): Promise<void>;
}
