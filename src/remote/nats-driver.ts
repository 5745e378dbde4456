import {
  AckPolicy,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { errors, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import { ClfsError, messageOf } from '../error.js';
import type { DriverLink, Listener } from './link.js';
import { encode } from './messages.js';
import { connectNats, LEAST_BYTES, longestBytesOf, requireLongEnough } from './nats-connection.js';
import { NatsLine } from './nats-line.js';
import type { NatsOptions } from './nats-options.js';
import { APPLY_SUBJECT, askSubject, CONSUMER, epochOf, streamName, taskSubject } from './nats-subjects.js';

/** A worker says so quickly that it has a ticket that one which it has not is given out again after this. */
const ACCEPT_MS = 10_000;
const AGAIN_MS = 500;
/** How often it is looked whether the stream still has what was offered. */
const LOOK_MS = 5000;
/** So often nothing is said of a stream before others are asked whether they could have one. */
const UNANSWERED = 3;
/** What is sent while the server is away is thrown away: it is not waited for longer than an answer takes. */
const API_MS = 2000;
/** The stream is removed in the end; if not, the next session of the job does it. */
const LAST_ANSWER_MS = 1000;
/** A ticket is a number. */
const TICKET_BYTES = 1024;
const MOST_UNDER_WAY = 256;
/** A question of somebody who takes no part: a driver answers that, and does nothing. */
const NOBODY = encode({ say: 'begin', worker: 'nobody' });

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
  const name = `clfsload driver ${epoch}`;
  return withJetStream(options, name, async (connection, manager) => {
    const line = new NatsLine(connection, () => connectNats(options, name));
    const link = new NatsDriver(line, manager, `CLFS_${job}`, epoch);
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
    requireLongEnough(connection);
    return await use(connection, await jetstreamManager(connection, { timeout: API_MS }));
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
  readonly #line: NatsLine;
  #manager: JetStreamManager;
  #client: JetStreamClient;
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
  /** Counts what looks whether there is a stream: only the latest makes one. */
  #looks = 0;
  #heard: { readonly subject: string; readonly by: (message: Msg) => void; subscription: Subscription }[] = [];

  constructor(line: NatsLine, manager: JetStreamManager, job: string, epoch: string) {
    this.#line = line;
    this.#manager = manager;
    this.#client = jetstream(line.connection, { timeout: API_MS });
    this.#job = job;
    this.#epoch = epoch;
  }

  get longestBytes(): number {
    return longestBytesOf(this.#line.connection);
  }

  get queue(): string {
    return this.#stream;
  }

  async begin(): Promise<void> {
    const others: string[] = [];
    for await (const name of this.#manager.streams.names())
      if (name.startsWith(`${this.#job}_`)) await this.#removeOwn(name).catch(() => undefined);
      else others.push(name);
    // Who has a stream hears: others take it for one that was left behind otherwise.
    this.#subscribe(APPLY_SUBJECT, (message) => {
      const answer = this.#listener?.candidate(message.data);
      if (answer) this.#respond(message, answer);
    });
    this.#subscribe(askSubject(this.#epoch), (message) => {
      this.#listener?.question(message.data, (bytes) => this.#respond(message, bytes));
    });
    await this.#makeStream(++this.#looks);
    void this.#sweep(others);
    this.#line.follow({
      renewed: (connection) => void this.#renewed(connection),
      connected: (open) => {
        this.#listener?.connected(open);
        if (!open) return;
        this.#requireLongEnough();
        void this.#requireStream(true);
      },
      refused: (reason) => this.#listener?.refused(reason),
    });
    void this.#watchStream();
  }

  /**
   * Removes the streams of drivers that were killed: nobody listens for their workers. A driver that is cut off just now
   * makes a new one when it is back.
   */
  async #sweep(streams: readonly string[]): Promise<void> {
    for (const stream of streams) {
      const epoch = epochOf(stream);
      if (epoch === undefined || this.#closed) continue;
      try {
        await this.#line.connection.request(askSubject(epoch), NOBODY, { timeout: API_MS });
      } catch (error) {
        if (isNobodyThere(error)) await this.#removeOwn(stream).catch(() => undefined);
      }
    }
  }

  /** Removes a stream that a driver has made: never one of somebody else, whatever name that has. */
  async #removeOwn(stream: string): Promise<void> {
    if (epochOf(stream) === undefined) return;
    const { subjects, storage } = (await this.#manager.streams.info(stream)).config;
    const isOwn = storage === StorageType.Memory && subjects?.length === 1 && subjects[0] === taskSubject(stream);
    if (isOwn) await this.#manager.streams.delete(stream);
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
    if (this.#line.isOpen && this.#stream !== '')
      await Promise.race([this.#manager.streams.delete(this.#stream).catch(() => false), delay(LAST_ANSWER_MS)]);
    await this.#line.close();
  }

  /** Another server may have taken its place: what is cut for one that takes longer messages cannot be sent by it. */
  #requireLongEnough(): void {
    try {
      requireLongEnough(this.#line.connection);
    } catch (error) {
      this.#listener?.refused(messageOf(error));
    }
  }

  /** What cannot be sent must not end the driver: who asked asks again. */
  #respond(message: Msg, bytes: Uint8Array): void {
    try {
      message.respond(bytes);
    } catch (error) {
      this.#listener?.refused(messageOf(error));
    }
  }

  #subscribe(subject: string, by: (message: Msg) => void): void {
    this.#heard.push({ subject, by, subscription: this.#hear(subject, by) });
  }

  #hear(subject: string, by: (message: Msg) => void): Subscription {
    return this.#line.connection.subscribe(subject, {
      callback: (error, message) => {
        // Of what is refused the line tells.
        if (!error) by(message);
      },
    });
  }

  /** What the server has refused, or what was heard by a connection that is no more, is listened to again. */
  #hearAgain(): void {
    if (!this.#line.isOpen) return;
    for (const each of this.#heard)
      if (each.subscription.isClosed()) each.subscription = this.#hear(each.subject, each.by);
  }

  /** There is another connection. */
  async #renewed(connection: NatsConnection): Promise<void> {
    this.#client = jetstream(connection, { timeout: API_MS });
    this.#manager = await jetstreamManager(connection, { timeout: API_MS, checkAPI: false });
  }

  /** A stream that was lost is never made again under its name: late words on the old one would be taken for the new. */
  async #makeStream(look: number): Promise<void> {
    const stream = streamName(this.#job, this.#epoch, ++this.#incarnation);
    let isUsed = false;
    try {
      await this.#addStream(stream);
      // Somebody else has looked meanwhile, since this took long.
      isUsed = look === this.#looks && !this.#closed;
    } finally {
      // What is not answered may be made all the same. Nobody else knows its name.
      if (!isUsed) void this.#manager.streams.delete(stream).catch(() => false);
    }
    if (!isUsed) return;
    const former = this.#stream;
    this.#stream = stream;
    this.#toPublish = this.#allOffers();
    if (former !== '') await this.#manager.streams.delete(former).catch(() => false);
    this.#publishNext();
  }

  async #addStream(stream: string): Promise<void> {
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
      const options = { msgID: id, expect: { streamName: stream }, timeout: API_MS, retries: 1 };
      this.#client
        .publish(taskSubject(stream), String(ticket), options)
        .catch(async (error: unknown) => {
          if (isRefusal(error)) this.#listener?.refused(messageOf(error));
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

  /** Looks from time to time: a stream that somebody removes or empties takes tickets with it without a word. */
  async #watchStream(): Promise<void> {
    for (let wasEmpty = false; !this.#closed; await delay(LOOK_MS))
      // One that fails, as where the connection ends meanwhile, is not the last one.
      wasEmpty = await this.#look(wasEmpty).catch(() => false);
  }

  /**
   * @param wasEmpty what is offered is offered again if the stream is still empty
   * @returns whether it is empty, for the first time
   */
  async #look(wasEmpty: boolean): Promise<boolean> {
    this.#hearAgain();
    const isQuiet = this.#offered.size > 0 && this.#toPublish.length + this.#underWay === 0;
    const held = isQuiet ? await this.#held().catch(() => undefined) : 1;
    if (held === undefined) await this.#requireStream();
    // What was taken just now is not in it either: that is withdrawn soon.
    if (held === 0 && wasEmpty) this.#toPublish = this.#allOffers();
    this.#publishNext();
    return held === 0 && !wasEmpty;
  }

  #allOffers() {
    return [...this.#offered].map((ticket) => this.#offerOf(ticket));
  }

  /**
   * Makes a new stream if there is none; tries until that is known.
   *
   * @param afresh what has been asked before may have been thrown away: its answer is not waited for
   */
  #requireStream(afresh = false): Promise<void> {
    if (this.#renewing && !afresh) return this.#renewing;
    const renewing = this.#renew(++this.#looks).finally(() => {
      if (this.#renewing === renewing) this.#renewing = undefined;
    });
    this.#renewing = renewing;
    return renewing;
  }

  async #renew(look: number): Promise<void> {
    for (let tries = 1; !this.#closed && look === this.#looks; tries++) {
      try {
        this.#hearAgain();
        if (await this.#isLost(tries)) await this.#makeStream(look);
        return;
      } catch (error) {
        // One that has just been started may not be ready.
        const isDisabled = tries > 1 && /not enabled/i.test(messageOf(error));
        if (isDisabled || isRefusal(error)) this.#listener?.refused(messageOf(error));
        await delay(AGAIN_MS);
      }
    }
  }

  /**
   * Whether there is no stream any more. Of several servers the one that had it in its memory may be gone: then nobody
   * says so, and the others make streams all the same.
   */
  async #isLost(tries: number): Promise<boolean> {
    if (tries <= UNANSWERED) return (await this.#held()) === undefined;
    await this.#manager.getAccountInfo();
    return true;
  }

  /** @returns how many tickets the stream has; undefined when there is none any more */
  async #held(): Promise<number | undefined> {
    try {
      const { num_pending, num_ack_pending } = await this.#manager.consumers.info(this.#stream, CONSUMER);
      return num_pending + num_ack_pending;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }
}

/** Whether a server that has what is asked of does not do it, since it is full. */
function isRefusal(error: unknown): boolean {
  return error instanceof JetStreamApiError && !isMissing(error);
}

/** Whether a question was refused since nobody listens. */
function isNobodyThere(error: unknown): boolean {
  return error instanceof errors.NoRespondersError || (error instanceof errors.RequestError && error.isNoResponders());
}

function isMissing(error: unknown): boolean {
  return /not found/i.test(messageOf(error));
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
