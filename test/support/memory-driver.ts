import type { DriverLink, Listener } from '../../src/remote/link.js';
import type { VirtualTime } from '../lives/virtual-time.js';
import type { MemoryServer, ProcessGate } from './memory-server.js';

/** How long it takes to put a ticket into the queue, and to make a stream. */
const PUBLISH_MS = 1;
const MAKE_MS = 5;
/** What could not be put into the queue is put there again after so long. */
const AGAIN_MS = 500;
/** After so long without an answer a driver knows that the server is away. */
const NOTICE_MS = 10_000;

/** A driver's end; does with its stream what the one on NATS does. */
export class MemoryDriver implements DriverLink {
  readonly longestBytes: number;
  readonly epoch: string;
  readonly gate: ProcessGate;
  readonly #server: MemoryServer;
  readonly #time: VirtualTime;
  readonly #name: string;
  readonly #offered = new Set<number>();
  #incarnation = 1;
  #listener: Listener | undefined;
  #isOpen = true;
  #isRenewing = false;

  constructor(
    server: MemoryServer,
    time: VirtualTime,
    gate: ProcessGate,
    names: { readonly name: string; readonly epoch: string; readonly longestBytes: number },
  ) {
    this.#server = server;
    this.#time = time;
    this.gate = gate;
    this.#name = names.name;
    this.epoch = names.epoch;
    this.longestBytes = names.longestBytes;
    server.makeStream(this.queue);
  }

  get queue(): string {
    return `${this.#name}_${this.#incarnation}`;
  }

  listen(listener: Listener): void {
    this.#listener = listener;
  }

  offer(ticket: number): void {
    this.#offered.add(ticket);
    this.#publish(ticket);
  }

  withdraw(ticket: number): void {
    this.#offered.delete(ticket);
  }

  async close(): Promise<void> {
    this.#listener = undefined;
    this.#isOpen = false;
    // Who was killed has not tidied up.
    if (!this.gate.isDead) this.#server.deleteStream(this.queue);
    this.#server.remove(this);
  }

  /** A message has come to the server that is for this driver. */
  receive(use: (listener: Listener) => void): void {
    this.gate.arrive(() => this.#listener && use(this.#listener));
  }

  connected(isOpen: boolean): void {
    this.gate.arrive(() => {
      this.#listener?.connected(isOpen);
      if (isOpen) this.#renew();
    });
  }

  /** It is cut off, and knows it after a while; or it is not any more. */
  cut(isCut: boolean): void {
    if (!isCut) {
      this.connected(true);
      return;
    }
    this.#time.after(NOTICE_MS, () => this.#server.reaches(this.gate) || this.connected(false));
  }

  #publish(ticket: number): void {
    const queue = this.queue;
    this.#time.after(PUBLISH_MS, () => {
      if (!this.#isOpen || this.gate.isDead || queue !== this.queue) return;
      if (this.#server.reaches(this.gate) && this.#server.hasStream(queue)) {
        this.#server.publish(queue, ticket);
        return;
      }
      this.#time.after(AGAIN_MS, () => {
        if (this.#offered.has(ticket) && queue === this.queue) this.#publish(ticket);
      });
      this.#renew();
    });
  }

  /** Makes a stream of another name when the former is lost, and offers anew what nobody has. */
  #renew(): void {
    if (this.#isRenewing || !this.#isOpen || this.gate.isDead) return;
    this.#isRenewing = true;
    this.#time.after(MAKE_MS, () => {
      this.#isRenewing = false;
      if (!this.#isOpen || this.gate.isDead || !this.#server.reaches(this.gate) || this.#server.hasStream(this.queue))
        return;
      this.#incarnation++;
      this.#server.makeStream(this.queue);
      for (const ticket of this.#offered) this.#publish(ticket);
    });
  }
}
