import { type Consumer, type JetStreamClient, type JsMsg, jetstream } from '@nats-io/jetstream';
import { messageOf } from '../error.js';
import type { Delivery, WorkerLink } from './link.js';
import { connectNats, longestBytesOf, type Patience } from './nats-connection.js';
import { NatsLine } from './nats-line.js';
import type { NatsOptions } from './nats-options.js';
import { APPLY_SUBJECT, askSubject, CONSUMER } from './nats-subjects.js';

/**
 * Opens a worker's end on NATS JetStream, waiting for the server.
 *
 * @returns undefined when the waiting was ended
 * @throws ClfsError `workers`
 */
export async function openNatsWorker(
  options: NatsOptions,
  name: string,
  patience: Patience,
): Promise<WorkerLink | undefined> {
  const connection = await connectNats(options, name, patience);
  return connection && new NatsWorker(new NatsLine(connection, () => connectNats(options, name)), patience.report);
}

const TROUBLE_MS = 500;
const API_MS = 2000;
const MOST_TOLD = 10;
/** That a ticket is taken is told with the next question, or after this: long before it would be given out again. */
const ACCEPT_MS = 100;

class NatsWorker implements WorkerLink {
  readonly #line: NatsLine;
  #client: JetStreamClient;
  #queue = '';
  #consumer: Consumer | undefined;

  /** Tickets that were taken, which is not told yet. */
  #accepted: JsMsg[] = [];
  #accepting: NodeJS.Timeout | undefined;

  /** What the server has refused, such as a subject that this worker may not use. */
  readonly #refused = new Set<string>();

  constructor(line: NatsLine, report: (text: string) => void) {
    this.#line = line;
    this.#client = jetstream(line.connection, { timeout: API_MS });
    line.follow({
      renewed: (connection) => {
        this.#client = jetstream(connection, { timeout: API_MS });
        this.#consumer = undefined;
      },
      connected: () => undefined,
      refused: (reason) => this.#reportRefusal(reason, report),
    });
  }

  #reportRefusal(text: string, report: (text: string) => void): void {
    if (this.#refused.has(text) || this.#refused.size >= MOST_TOLD) return;
    this.#refused.add(text);
    report(`The server of the workers refuses something (docs/several-machines.md has what a worker needs): ${text}.`);
  }

  get longestBytes(): number {
    return longestBytesOf(this.#line.connection);
  }

  apply(bytes: Uint8Array, waitMs: number): Promise<Uint8Array | undefined> {
    return this.#request(APPLY_SUBJECT, bytes, waitMs);
  }

  ask(epoch: string, bytes: Uint8Array, waitMs: number): Promise<Uint8Array | undefined> {
    return this.#request(askSubject(epoch), bytes, waitMs);
  }

  async pull(
    queue: string,
    most: number,
    waitMs: number,
    found: (delivery: Delivery) => void,
  ): Promise<string | undefined> {
    try {
      const consumer = await this.#consumerOf(queue);
      const messages = await consumer.fetch({ max_messages: most, expires: waitMs });
      // The client's own watch for silence ends with a connection that is lost.
      const late = setTimeout(() => messages.stop(new Error('the server does not answer')), waitMs + API_MS);
      try {
        for await (const message of messages) {
          const ticket = Number(message.string());
          found({
            ticket,
            deliveries: message.info.deliveryCount,
            accept: () => this.#accept(message),
            refuse: () => quietly(() => message.nak()),
          });
        }
      } finally {
        clearTimeout(late);
      }
      return undefined;
    } catch (error) {
      this.#consumer = undefined;
      await delay(TROUBLE_MS);
      return [...this.#refused].find((text) => text.includes(queue)) ?? messageOf(error);
    }
  }

  async close(): Promise<void> {
    this.#tellAccepted();
    await this.#line.close();
  }

  async #consumerOf(queue: string): Promise<Consumer> {
    if (!this.#consumer || this.#queue !== queue) {
      this.#queue = queue;
      this.#consumer = await this.#client.consumers.get(queue, CONSUMER);
    }
    return this.#consumer;
  }

  #accept(message: JsMsg): void {
    this.#accepted.push(message);
    this.#accepting ??= setTimeout(() => this.#tellAccepted(), ACCEPT_MS).unref();
  }

  /** What cannot be sent is given out again. What is sent in one turn of the loop costs one call of the system. */
  #tellAccepted(): void {
    clearTimeout(this.#accepting);
    this.#accepting = undefined;
    const accepted = this.#accepted;
    this.#accepted = [];
    for (const message of accepted) quietly(() => message.ack());
  }

  async #request(subject: string, bytes: Uint8Array, waitMs: number): Promise<Uint8Array | undefined> {
    try {
      if (!this.#line.isOpen) throw new Error('What is sent now is thrown away.');
      this.#tellAccepted();
      return (await this.#line.connection.request(subject, bytes, { timeout: waitMs })).data;
    } catch {
      // Nobody listens, or the server is away: who asks will ask again, not at once.
      await delay(Math.min(TROUBLE_MS, waitMs));
      return undefined;
    }
  }
}

/** Says something of a message, whose connection may be closed. */
function quietly(say: () => void): void {
  try {
    say();
  } catch {
    // It is given out again.
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
