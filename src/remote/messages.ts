import { deserialize, serialize } from 'node:v8';
import type { ErrorCode } from '../error.js';
import type { Trouble } from './trouble.js';

/** Version of what drivers and workers say to each other. A worker of another one is refused. */
export const PROTOCOL = 2;

/** What a worker tells of itself when it asks for work. Sent as JSON, which every version understands. */
export interface Candidate {
  readonly protocol: number;
  /** Of the bytes in which everything else is sent; see {@link WIRE_FORMAT}. */
  readonly wire: number;
  /** Of the program. */
  readonly version: string;
  /** One for each life of a worker: never that of another one, or of an earlier life. */
  readonly worker: string;
  /** Host and process, as people know it. */
  readonly name: string;
  readonly lanes: number;
  /** Who it runs as: the number of its user. */
  readonly user: number;
  /** What it may do with files of others, as bits (`join/capabilities.ts`); missing where that is not known. */
  readonly capabilities?: number;
  /** The number of its group, whose the files are that it makes; missing where that is not known. */
  readonly gid?: number;
  /** Numbers of its supplementary groups; missing where they are not known. */
  readonly groups?: readonly number[];
  /** Its clock, in milliseconds since 1970. */
  readonly clockMs: number;
  /** Epochs of drivers that it is not for: they leave it to others. */
  readonly refusedBy?: readonly string[];
}

/** What a driver answers to one who asks for work. Sent as JSON. */
export type Welcome =
  | {
      readonly epoch: string;
      readonly leaseMs: number;
      /** The driver's clock, in milliseconds since 1970. */
      readonly clockMs: number;
      /** What lanes need to know before their first task, as {@link encode} has it, in Base64. */
      readonly setup: string;
    }
  | { readonly epoch: string; readonly refused: string };

/** What of the content of files a worker has read, and need not read, in bytes: a count is missing where it is none. */
export interface ContentCounters {
  /** As they are stored in the container, perhaps compressed. */
  readonly contentStored?: number;
  readonly contentData?: number;
  /** As they are stored. */
  readonly passedStored?: number;
  readonly passedData?: number;
}

/** Counters of a worker since it came. */
export interface WorkerCounters extends ContentCounters {
  readonly requests: number;
  readonly bytesSent: number;
  /** Missing: none. */
  readonly bytesReceived?: number;
  readonly retries: number;
  readonly throttled: number;
  /** For how long every request of some lane has failed, in milliseconds; 0 when none does. */
  readonly waitingMs: number;
  /** How long what it has sent and given up may still take effect, in milliseconds. */
  readonly uncertainMs: number;
  /** What of the files that it works on does not answer, for people; missing where all does. */
  readonly stalled?: string;
}

/** What a worker that has work asks or tells. */
export type Question = { readonly worker: string } & (
  | {
      /** It has found all as it must be, and begins. */
      readonly say: 'begin';
    }
  | {
      /** It does not take part, or not any more. */
      readonly say: 'leave';
      readonly reason: string;
      /** Whether any of what it worked on may be the reason. */
      readonly suspect: boolean;
      /** What ended a task before its time. */
      readonly trouble?: Trouble;
    }
  | { readonly say: 'here'; readonly counters: WorkerCounters }
  | {
      /** A lane asks for something that the driver knows; what it is, is between them. */
      readonly say: 'ask';
      readonly what: unknown;
    }
  | {
      /** It has come upon a ticket in the queue, and wants to do the task. */
      readonly say: 'take';
      readonly ticket: number;
      /**
       * Counts the worker's attempts to get a ticket, any ticket, upwards: what is sent again, and what asks for further
       * pieces, has the number of its attempt. One that was refused stays so, whenever a copy of it arrives.
       */
      readonly attempt: number;
      /** How often the queue has given the ticket out, this time included. */
      readonly deliveries: number;
      /** Which piece of the task is wanted; from 0. */
      readonly piece: number;
      /** Who has so many units has no room for it: how large a task is, only the driver knows. */
      readonly most: number;
    }
  | {
      /** A piece of what the task brings. */
      readonly say: 'tell';
      readonly ticket: number;
      /** From 0 for each ticket, without a gap. */
      readonly number: number;
      /** Whether what it belongs to goes on in the next piece. */
      readonly more: boolean;
      readonly what: 'part' | 'done' | 'failed';
      readonly bytes: Uint8Array;
      /** With the last pieces of a task. What does not answer may be long, and is told by who is `here`. */
      readonly counters?: Omit<WorkerCounters, 'stalled'>;
    }
);

/** What a driver wants of the workers, beside their tasks. */
export type Wish = 'work' | 'stop' | 'abandon';

/** What a driver answers. */
export type Answer =
  /** The worker is none of the driver's (any more): what it does counts no more. */
  | { readonly to: 'nobody' }
  | { readonly to: 'begin' | 'leave' | 'tell' }
  | { readonly to: 'ask'; readonly answer: unknown }
  | {
      readonly to: 'here';
      readonly wish: Wish;
      /** Where tickets are; another one when the former was lost. */
      readonly queue: string;
      /** Its share of the rate, in megabits per second; 0: no cap. */
      readonly capMbps: number;
    }
  /** The ticket is not to be done. */
  | { readonly to: 'take'; readonly go: false }
  | {
      readonly to: 'take';
      readonly go: true;
      readonly units: number;
      /** How many pieces the task has. */
      readonly pieces: number;
      readonly bytes: Uint8Array;
    };

/** What ended a task that brought nothing. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Bytes of any plain data; big integers and byte arrays stay what they are. */
export function encode(value: unknown): Buffer {
  return serialize(value);
}

/** @throws Error on bytes that are none of {@link encode} */
export function decode<T>(bytes: Uint8Array): T {
  return deserialize(bytes) as T;
}

/** Version of the bytes that this Node writes: who reads must have the same. */
export const WIRE_FORMAT = serialize(null)[1];

/** Bytes that a question or an answer has beside its payload, at most. */
const ROOM_BYTES = 1024;

/** Bytes of a piece where a message has at most so many. */
export function pieceBytes(longestBytes: number): number {
  return Math.max(1024, longestBytes - ROOM_BYTES);
}

/** Cuts bytes into pieces of at most `most`; at least one. */
export function* cut(bytes: Uint8Array, most: number): Generator<Uint8Array> {
  let at = 0;
  do {
    yield bytes.subarray(at, at + most);
    at += most;
  } while (at < bytes.length);
}
