import type { Delivery, Listener, OpenDriverLink, WorkerLink } from '../../src/remote/link.js';
import type { Random } from '../lives/random.js';
import type { VirtualTime } from '../lives/virtual-time.js';
import { MemoryDriver } from './memory-driver.js';

/** How messages fare, in per cent, and how long they take. */
export interface Weather {
  readonly dropped: number;
  readonly doubled: number;
  readonly delayed: number;
  readonly longestDelayMs: number;
}

/** Nothing is lost, doubled or late. */
export const CALM: Weather = { dropped: 0, doubled: 0, delayed: 0, longestDelayMs: 1 };

/** A process at one end: told at once, or when it is awake again; never, once it is dead. */
export interface ProcessGate {
  arrive(call: () => void): void;
  readonly isDead: boolean;
}

/** After so long a ticket is given out again that nobody has accepted. */
const ACCEPT_MS = 5000;
const QUICKEST_MS = 1;
const USUAL_MS = 5;

interface Message {
  readonly ticket: number;
  deliveries: number;
  isHeld: boolean;
}

interface Puller {
  readonly gate: ProcessGate;
  most: number;
  readonly untilMs: number;
  found(delivery: Delivery): void;
}

interface Stream {
  readonly messages: Map<number, Message>;
  readonly pullers: Set<Puller>;
}

/** A server in memory, between drivers and workers: it drops, doubles, delays and reorders, as its weather says. */
export class MemoryServer {
  readonly happened = new Map<string, number>();
  weather: Weather;
  /** Told before each message. */
  onMessage: () => void = () => undefined;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #cut = new Set<ProcessGate>();
  readonly #streams = new Map<string, Stream>();
  readonly #drivers = new Set<MemoryDriver>();
  #messages = 0;
  #away = false;

  constructor(time: VirtualTime, random: Random, weather: Weather = CALM) {
    this.#time = time;
    this.#random = random;
    this.weather = weather;
  }

  /** The server is away: nothing arrives. With `forgets` it has lost what it held when it comes back. */
  leave(forgets: boolean): void {
    if (this.#away) return;
    this.#away = true;
    if (forgets) this.#streams.clear();
    for (const driver of this.#drivers) driver.connected(false);
    this.#count(forgets ? 'server killed' : 'server away');
  }

  comeBack(): void {
    if (!this.#away) return;
    this.#away = false;
    for (const driver of this.#drivers) driver.connected(true);
  }

  /** Cuts a process off, or connects it again. */
  setCut(gate: ProcessGate, isCut: boolean): void {
    if (isCut === this.#cut.has(gate)) return;
    if (isCut) this.#cut.add(gate);
    else this.#cut.delete(gate);
    for (const driver of this.#drivers) if (driver.gate === gate) driver.cut(isCut);
  }

  /** Connects everybody, and the server with them. */
  heal(): void {
    for (const gate of [...this.#cut]) this.setCut(gate, false);
    this.comeBack();
  }

  /** Opens the drivers of a process. */
  driver(gate: ProcessGate, longestBytes = 2048): OpenDriverLink {
    return async ({ job, epoch }) => {
      for (const name of [...this.#streams.keys()]) if (name.startsWith(`CLFS_${job}_`)) this.#streams.delete(name);
      const driver = new MemoryDriver(this, this.#time, gate, { name: `CLFS_${job}_${epoch}`, epoch, longestBytes });
      this.#drivers.add(driver);
      return driver;
    };
  }

  worker(gate: ProcessGate, longestBytes = 2048): WorkerLink {
    const request = (
      waitMs: number,
      isFor: (driver: MemoryDriver) => boolean,
      ask: (listener: Listener, answer: (bytes: Uint8Array) => void) => void,
    ) =>
      new Promise<Uint8Array | undefined>((resolve) => {
        const timer = this.#time.after(waitMs, () => gate.arrive(() => resolve(undefined)));
        const answered = (bytes: Uint8Array) => {
          const copy = Buffer.from(bytes);
          return () => {
            timer.cancel();
            resolve(copy);
          };
        };
        for (const driver of [...this.#drivers].filter(isFor)) {
          const both = [gate, driver.gate];
          this.carry(gate, both, () =>
            driver.receive((listener) =>
              ask(listener, (bytes) => {
                const arrive = answered(bytes);
                this.carry(driver.gate, both, () => gate.arrive(arrive));
              }),
            ),
          );
        }
      });
    return {
      longestBytes,
      apply: (bytes, waitMs) =>
        request(
          waitMs,
          () => true,
          (listener, answer) => {
            const welcome = listener.candidate(Buffer.from(bytes));
            if (welcome) answer(welcome);
          },
        ),
      ask: (epoch, bytes, waitMs) =>
        request(
          waitMs,
          (driver) => driver.epoch === epoch,
          (listener, answer) => listener.question(Buffer.from(bytes), answer),
        ),
      pull: (queue, most, waitMs, found) => this.#pull(gate, queue, most, waitMs, found),
      close: async () => undefined,
    };
  }

  /**
   * A message on its way, which may go through several times or not at all.
   *
   * @param ends must be connected when it arrives
   */
  carry(from: ProcessGate, ends: readonly ProcessGate[], arrive: () => void): void {
    if (from.isDead) return;
    this.onMessage();
    const { dropped, doubled, delayed, longestDelayMs } = this.weather;
    const number = ++this.#messages;
    const draw = (limit: number, what: number) => this.#random.at(limit, number, what);
    const once = (copy: number) => {
      const isLate = draw(100, 10 + copy) < delayed;
      const delayMs = QUICKEST_MS + draw(isLate ? longestDelayMs : USUAL_MS, 20 + copy);
      if (isLate) this.#count('delayed');
      this.#time.after(delayMs, () => {
        if (ends.every((end) => this.reaches(end))) arrive();
        else this.#count('cut off');
      });
    };
    if (draw(100, 1) < dropped) this.#count('dropped');
    else once(0);
    if (draw(100, 2) < doubled) {
      this.#count('doubled');
      once(1);
    }
  }

  /** Whether a process and the server reach each other. */
  reaches(gate: ProcessGate): boolean {
    return !this.#away && !this.#cut.has(gate);
  }

  /** @returns whether there was none of this name */
  makeStream(name: string): boolean {
    if (this.#streams.has(name)) return false;
    this.#streams.set(name, { messages: new Map(), pullers: new Set() });
    return true;
  }

  hasStream(name: string): boolean {
    return this.#streams.has(name);
  }

  deleteStream(name: string): void {
    this.#streams.delete(name);
  }

  publish(name: string, ticket: number): void {
    const stream = this.#streams.get(name);
    stream?.messages.set(++this.#messages, { ticket, deliveries: 0, isHeld: false });
    if (stream) this.#giveOut(stream);
  }

  /** The driver is no more. */
  remove(driver: MemoryDriver): void {
    this.#drivers.delete(driver);
  }

  async #pull(
    gate: ProcessGate,
    queue: string,
    most: number,
    waitMs: number,
    found: (delivery: Delivery) => void,
  ): Promise<undefined> {
    await new Promise<void>((resolve) => {
      let left = most;
      const end = () => {
        left = 0;
        timer.cancel();
        resolve();
      };
      const timer = this.#time.after(waitMs, () => gate.arrive(end));
      const untilMs = this.#time.ms + waitMs;
      this.carry(gate, [gate], () => {
        const stream = this.#streams.get(queue);
        if (!stream) return;
        const arrived = (delivery: Delivery) => {
          // What comes when nobody waits any more is given out again later.
          if (left === 0) return;
          left--;
          found(delivery);
          if (left === 0) end();
        };
        stream.pullers.add({ gate, most, untilMs, found: (delivery) => gate.arrive(() => arrived(delivery)) });
        this.#giveOut(stream);
      });
    });
    return undefined;
  }

  #giveOut(stream: Stream): void {
    for (const [sequence, message] of stream.messages) {
      if (message.isHeld) continue;
      const puller = this.#pullerOf(stream);
      if (!puller) return;
      puller.most--;
      message.isHeld = true;
      message.deliveries++;
      if (message.deliveries > 1) this.#count('given out again');
      const { gate } = puller;
      const { ticket, deliveries } = message;
      const accept = () => this.carry(gate, [gate], () => void stream.messages.delete(sequence));
      const giveAgain = () => {
        if (!stream.messages.has(sequence) || message.deliveries !== deliveries) return;
        message.isHeld = false;
        this.#giveOut(stream);
      };
      const refuse = () => this.carry(gate, [gate], giveAgain);
      this.carry(gate, [gate], () => puller.found({ ticket, deliveries, accept, refuse }));
      this.#time.after(ACCEPT_MS, giveAgain);
    }
  }

  #pullerOf({ pullers }: Stream): Puller | undefined {
    for (const puller of pullers) {
      if (puller.most > 0 && puller.untilMs >= this.#time.ms) return puller;
      pullers.delete(puller);
    }
    return undefined;
  }

  #count(what: string): void {
    this.happened.set(what, (this.happened.get(what) ?? 0) + 1);
  }
}
