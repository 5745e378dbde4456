import {
  AckPolicy,
  DiscardPolicy,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { errors, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { ClfsError, messageOf } from '../error.js';
import type { DriverLink, Listener } from './link.js';
import { connectNats } from './nats-connection.js';
import type { NatsOptions } from './nats-options.js';
import { APPLY_SUBJECT, askSubject, CONSUMER, taskSubject } from './nats-subjects.js';

/** A worker says so quickly that it has a ticket that one which it has not is given out again after this. */
const ACCEPT_MS = 10_000;
const AGAIN_MS = 500;
/** How often it is looked whether the stream still has what was offered. */
const LOOK_MS = 5000;
const PUBLISH_MS = 3000;
/** A ticket is a number. */
const TICKET_BYTES = 1024;
const MOST_UNDER_WAY = 256;
/** Tasks and results go in pieces; answers to what lanes ask for, and the set-up of a job, do not. */
const LEAST_BYTES = 131_072;

/**
 * Opens a driver's end on NATS JetStream: a stream in the server's memory that nobody else uses, for the tickets.
 *
 * @param job beginning of the names of all streams of the job: those of earlier sessions are removed
 * @throws ClfsError `workers`
 */
export async function openNatsDriver(
  options: NatsOptions,
  { job, epoch }: { readonly job: string; readonly epoch: string },
): Promise<DriverLink> {
  return withJetStream(options, `clfsload driver ${epoch}`, async (connection, manager) => {
    const link = new NatsDriver(connection, manager, `CLFS_${job}`, epoch);
    await link.begin();
    return link;
  });
}

/** Makes sure that there is a server for workers. @throws ClfsError `workers` */
export async function requireNats(options: NatsOptions): Promise<void> {
  await withJetStream(options, 'clfsload', (connection) => connection.close());
}

async function withJetStream<T>(
  options: NatsOptions,
  name: string,
  use: (connection: NatsConnection, manager: JetStreamManager) => Promise<T>,
): Promise<T> {
  const connection = await connectNats(options, name);
  try {
    const longestBytes = connection.info?.max_payload ?? LEAST_BYTES;
    if (longestBytes < LEAST_BYTES) throw new Error(`its messages have ${longestBytes} bytes at most`);
    return await use(connection, await jetstreamManager(connection));
  } catch (cause) {
    await connection.close().catch(() => undefined);
    if (cause instanceof ClfsError) throw cause;
    throw new ClfsError(
      'workers',
      `The server of the workers at ${options.servers} does not do what is needed: ${messageOf(cause)}. Start it with JetStream (nats-server -js) and a max_payload of ${LEAST_BYTES} or more, and let the driver use it (docs/several-machines.md).`,
      { cause },
    );
  }
}

class NatsDriver implements DriverLink {
  readonly longestBytes: number;
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #client: JetStreamClient;
  readonly #job: string;
  readonly #epoch: string;
  /** Tickets that nobody has taken. */
  readonly #offered = new Set<number>();
  /** Of them those that are to be published. */
  #toPublish: { readonly ticket: number; readonly id: string }[] = [];
  #offers = 0;
  #underWay = 0;
  #incarnation = 0;
  #stream = '';
  #listener: Listener | undefined;
  #closed = false;
  #renewing: Promise<void> | undefined;

  constructor(connection: NatsConnection, manager: JetStreamManager, job: string, epoch: string) {
    this.#connection = connection;
    this.#manager = manager;
    this.#client = jetstream(connection);
    this.#job = job;
    this.#epoch = epoch;
    this.longestBytes = connection.info?.max_payload ?? 1048576;
  }

  get queue(): string {
    return this.#stream;
  }

  async begin(): Promise<void> {
    for await (const name of this.#manager.streams.names())
      if (name.startsWith(`${this.#job}_`)) await this.#manager.streams.delete(name).catch(() => false);
    await this.#makeStream();
    this.#subscribe(APPLY_SUBJECT, (message) => {
      const answer = this.#listener?.candidate(message.data);
      if (answer) this.#respond(message, answer);
    });
    this.#subscribe(askSubject(this.#epoch), (message) => {
      this.#listener?.question(message.data, (bytes) => this.#respond(message, bytes));
    });
    void this.#watch();
    void this.#watchStream();
  }

  listen(listener: Listener): void {
    this.#listener = listener;
  }

  offer(ticket: number): void {
    this.#offered.add(ticket);
    this.#toPublish.push(this.#offerOf(ticket));
    this.#publishNext();
  }

  withdraw(ticket: number): void {
    this.#offered.delete(ticket);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#offered.clear();
    if (!this.#connection.isClosed() && this.#stream !== '')
      await Promise.race([this.#manager.streams.delete(this.#stream).catch(() => false), delay(2000)]);
    await this.#connection.close().catch(() => undefined);
  }

  /** What cannot be sent must not end the driver: who asked asks again. */
  #respond(message: Msg, bytes: Uint8Array): void {
    try {
      message.respond(bytes);
    } catch (error) {
      this.#listener?.refused(messageOf(error));
    }
  }

  #subscribe(subject: string, heard: (message: Msg) => void): void {
    this.#connection.subscribe(subject, {
      callback: (error, message) => {
        // Of what is refused the connection tells.
        if (!error) heard(message);
      },
    });
  }

  /** A stream that was lost is never made again under its name: late words on the old one would be taken for the new. */
  async #makeStream(): Promise<void> {
    const stream = `${this.#job}_${this.#epoch}_${++this.#incarnation}`;
    await this.#manager.streams.add({
      name: stream,
      subjects: [taskSubject(stream)],
      retention: RetentionPolicy.Workqueue,
      storage: StorageType.Memory,
      discard: DiscardPolicy.New,
      max_msg_size: TICKET_BYTES,
    });
    await this.#manager.consumers.add(stream, {
      durable_name: CONSUMER,
      ack_policy: AckPolicy.Explicit,
      ack_wait: ACCEPT_MS * 1e6,
      max_deliver: -1,
      max_ack_pending: 100_000,
    });
    const former = this.#stream;
    this.#stream = stream;
    this.#toPublish = this.#allOffers();
    if (former !== '') await this.#manager.streams.delete(former).catch(() => false);
    this.#publishNext();
  }

  /** Publishing it again counts once; offering it again counts anew. */
  #offerOf(ticket: number) {
    return { ticket, id: String(++this.#offers) };
  }

  #publishNext(): void {
    while (this.#underWay < MOST_UNDER_WAY && this.#stream !== '' && !this.#closed) {
      const offer = this.#toPublish.shift();
      if (!offer) return;
      const { ticket, id } = offer;
      if (!this.#offered.has(ticket)) continue;
      this.#underWay++;
      const stream = this.#stream;
      const options = { msgID: id, expect: { streamName: stream }, timeout: PUBLISH_MS, retries: 1 };
      this.#client
        .publish(taskSubject(stream), String(ticket), options)
        .catch(async () => {
          await delay(AGAIN_MS);
          if (stream === this.#stream) this.#toPublish.unshift(offer);
          await this.#requireStream();
        })
        .finally(() => {
          this.#underWay--;
          this.#publishNext();
        })
        .catch(() => undefined);
    }
  }

  /** Follows the connection: after the server was away it may have forgotten everything. */
  async #watch(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (this.#closed) return;
      if (status.type === 'error' && status.error instanceof errors.PermissionViolationError)
        this.#listener?.refused(messageOf(status.error));
      else if (status.type === 'disconnect') this.#listener?.connected(false);
      else if (status.type === 'reconnect') {
        this.#listener?.connected(true);
        void this.#requireStream();
      }
    }
  }

  /** Looks from time to time: a stream that somebody removes or empties takes tickets with it without a word. */
  async #watchStream(): Promise<void> {
    for (let wasEmpty = false; !this.#closed; await delay(LOOK_MS)) {
      const isQuiet = this.#offered.size > 0 && this.#toPublish.length + this.#underWay === 0;
      const held = isQuiet ? await this.#held().catch(() => 1) : 1;
      if (held === undefined) await this.#requireStream();
      // What was taken just now is not in it either: that is withdrawn soon.
      if (held === 0 && wasEmpty) this.#toPublish = this.#allOffers();
      this.#publishNext();
      wasEmpty = held === 0 && !wasEmpty;
    }
  }

  #allOffers() {
    return [...this.#offered].map((ticket) => this.#offerOf(ticket));
  }

  /** Makes a new stream if there is none; tries until that is known. */
  #requireStream(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renew(): Promise<void> {
    while (!this.#closed) {
      try {
        if ((await this.#held()) === undefined) await this.#makeStream();
        return;
      } catch {
        await delay(AGAIN_MS);
      }
    }
  }

  /** @returns how many tickets the stream has; undefined when there is none any more */
  async #held(): Promise<number | undefined> {
    try {
      const { num_pending, num_ack_pending } = await this.#manager.consumers.info(this.#stream, CONSUMER);
      return num_pending + num_ack_pending;
    } catch (error) {
      if (/not found/i.test(messageOf(error))) return undefined;
      throw error;
    }
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
