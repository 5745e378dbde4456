import { type Consumer, type JetStreamClient, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Delivery, WorkerLink } from './link.js';
import { connectNats } from './nats-connection.js';
import type { NatsOptions } from './nats-options.js';
import { APPLY_SUBJECT, askSubject, CONSUMER } from './nats-subjects.js';

/** Opens a worker's end on NATS JetStream, waiting for the server. @throws ClfsError `workers` */
export async function openNatsWorker(options: NatsOptions, name: string): Promise<WorkerLink> {
  return new NatsWorker(await connectNats(options, name, true));
}

const TROUBLE_MS = 500;

class NatsWorker implements WorkerLink {
  readonly #connection: NatsConnection;
  readonly #client: JetStreamClient;
  #queue = '';
  #consumer: Consumer | undefined;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
    this.#client = jetstream(connection);
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

  async pull(queue: string, most: number, waitMs: number, found: (delivery: Delivery) => void): Promise<void> {
    try {
      const consumer = await this.#consumerOf(queue);
      const messages = await consumer.fetch({ max_messages: most, expires: waitMs });
      for await (const message of messages) {
        const ticket = Number(message.string());
        found({ ticket, deliveries: message.info.deliveryCount, accept: () => message.ack() });
      }
    } catch {
      this.#consumer = undefined;
      await delay(TROUBLE_MS);
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
