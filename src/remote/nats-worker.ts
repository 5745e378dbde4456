import { type Consumer, type JetStreamClient, jetstream } from '@nats-io/jetstream';
import { errors, type NatsConnection } from '@nats-io/transport-node';
import { messageOf } from '../error.js';
import type { Delivery, WorkerLink } from './link.js';
import { connectNats, type Patience } from './nats-connection.js';
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
  return connection && new NatsWorker(connection, patience.report);
}

const TROUBLE_MS = 500;
const MOST_TOLD = 10;

class NatsWorker implements WorkerLink {
  readonly #connection: NatsConnection;
  readonly #client: JetStreamClient;
  #queue = '';
  #consumer: Consumer | undefined;

  /** What the server has refused, such as a subject that this worker may not use. */
  readonly #refused = new Set<string>();

  constructor(connection: NatsConnection, report: (text: string) => void) {
    this.#connection = connection;
    this.#client = jetstream(connection);
    void this.#watch(report);
  }

  async #watch(report: (text: string) => void): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type !== 'error' || !(status.error instanceof errors.PermissionViolationError)) continue;
      const text = messageOf(status.error);
      if (this.#refused.has(text) || this.#refused.size >= MOST_TOLD) continue;
      this.#refused.add(text);
      report(
        `The server of the workers refuses something (docs/several-machines.md has what a worker needs): ${text}.`,
      );
    }
  }

  get longestBytes(): number {
    return this.#connection.info?.max_payload ?? 1048576;
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
      for await (const message of messages) {
        const ticket = Number(message.string());
        found({ ticket, deliveries: message.info.deliveryCount, accept: () => message.ack() });
      }
      return undefined;
    } catch (error) {
      this.#consumer = undefined;
      await delay(TROUBLE_MS);
      return [...this.#refused].find((text) => text.includes(queue)) ?? messageOf(error);
    }
  }

  async close(): Promise<void> {
    await this.#connection.close().catch(() => undefined);
  }

  async #consumerOf(queue: string): Promise<Consumer> {
    if (!this.#consumer || this.#queue !== queue) {
      this.#queue = queue;
      this.#consumer = await this.#client.consumers.get(queue, CONSUMER);
    }
    return this.#consumer;
  }

  async #request(subject: string, bytes: Uint8Array, waitMs: number): Promise<Uint8Array | undefined> {
    try {
      return (await this.#connection.request(subject, bytes, { timeout: waitMs })).data;
    } catch {
      // Nobody listens, or the server is away: who asks will ask again, not at once.
      await delay(Math.min(TROUBLE_MS, waitMs));
      return undefined;
    }
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
