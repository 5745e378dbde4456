import type { Delivery, DriverLink, Listener, WorkerLink } from '../../src/remote/link.js';
import type { Random } from '../lives/random.js';
import type { VirtualTime } from '../lives/virtual-time.js';

/** How messages fare, in per cent, and how long they take. */
export interface Weather {
  readonly dropped: number;
  readonly doubled: number;
  readonly delayed: number;
  readonly longestDelayMs: number;
}

/** After so long the queue gives a ticket out again that nobody has accepted. */
const ACCEPT_MS = 5000;

/**
 * What a process of the model does when something arrives: at once, or when it is awake again; never, once it is dead.
 */
export interface ProcessGate {
  arrive(call: () => void): void;
}

/** A server in memory, between one driver and some workers: it drops, doubles, delays and reorders. */
export class FaultyNet {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #weather: Weather;
  readonly #cut = new Set<object>();
  #listener: Listener | undefined;
  #offered = new Set<number>();
  /** What the server holds: tickets in order, with how often each was given out, and until when somebody has it. */
  #queue = new Map<number, { deliveries: number; heldUntilMs: number }>();
  #incarnation = 1;
  #away = false;
  readonly happened = new Map<string, number>();

  constructor(time: VirtualTime, random: Random, weather: Weather) {
    this.#time = time;
    this.#random = random;
    this.#weather = weather;
  }

  /** The server is away: nothing arrives. With `forgets` it has lost what it held when it comes back. */
  leave(forgets: boolean): void {
    this.#away = true;
    if (forgets) this.#queue.clear();
    this.#listener?.connected(false);
    this.#count(forgets ? 'server killed' : 'server away');
  }

  comeBack(): void {
    if (!this.#away) return;
    this.#away = false;
    if (this.#queue.size === 0) this.#incarnation++;
    // What was not put into the queue is put there now.
    for (const ticket of this.#offered)
      if (!this.#queue.has(ticket)) this.#queue.set(ticket, { deliveries: 0, heldUntilMs: 0 });
    this.#listener?.connected(true);
  }

  /** Cuts a worker off, or connects it again. */
  setCut(gate: object, cut: boolean): void {
    if (cut) this.#cut.add(gate);
    else this.#cut.delete(gate);
  }

  driver(longestBytes = 2048): DriverLink {
    const queue = () => `queue-${this.#incarnation}`;
    return {
      longestBytes,
      get queue() {
        return queue();
      },
      listen: (listener) => {
        this.#listener = listener;
      },
      offer: (ticket) => {
        this.#offered.add(ticket);
        if (!this.#away) this.#queue.set(ticket, { deliveries: 0, heldUntilMs: 0 });
      },
      withdraw: (ticket) => void this.#offered.delete(ticket),
      close: async () => {
        this.#listener = undefined;
      },
    };
  }

  worker(gate: ProcessGate, longestBytes = 2048): WorkerLink {
    const request = (waitMs: number, ask: (listener: Listener, answer: (bytes: Uint8Array) => void) => void) =>
      new Promise<Uint8Array | undefined>((resolve) => {
        const timer = this.#time.after(waitMs, () => gate.arrive(() => resolve(undefined)));
        this.#carry(gate, () => {
          if (!this.#listener) return;
          ask(this.#listener, (bytes) => {
            const copy = Buffer.from(bytes);
            this.#carry(gate, () =>
              gate.arrive(() => {
                timer.cancel();
                resolve(copy);
              }),
            );
          });
        });
      });
    return {
      longestBytes,
      apply: (bytes, waitMs) =>
        request(waitMs, (listener, answer) => {
          const answered = listener.candidate(bytes);
          if (answered) answer(answered);
        }),
      ask: (_epoch, bytes, waitMs) =>
        request(waitMs, (listener, answer) => listener.question(Buffer.from(bytes), answer)),
      pull: async (queue, most, waitMs, found) => {
        for (let waited = 0; waited < waitMs; waited += 100) {
          if (!this.#away && !this.#cut.has(gate) && queue === `queue-${this.#incarnation}`) {
            const taken = this.#giveOut(most);
            for (const delivery of taken) this.#carry(gate, () => gate.arrive(() => found(delivery(gate))));
            if (taken.length > 0) return;
          }
          await new Promise<void>((resolve) => this.#time.after(100, () => gate.arrive(resolve)));
        }
      },
      close: async () => undefined,
    };
  }

  #giveOut(most: number): ((gate: ProcessGate) => Delivery)[] {
    const now = this.#time.ms;
    const out: ((gate: ProcessGate) => Delivery)[] = [];
    for (const [ticket, held] of this.#queue) {
      if (out.length === most) break;
      if (held.heldUntilMs > now) continue;
      held.heldUntilMs = now + ACCEPT_MS;
      held.deliveries++;
      if (held.deliveries > 1) this.#count('given out again');
      const { deliveries } = held;
      const incarnation = this.#incarnation;
      out.push((gate) => ({
        ticket,
        deliveries,
        accept: () =>
          this.#carry(gate, () => {
            if (incarnation === this.#incarnation) this.#queue.delete(ticket);
          }),
      }));
    }
    return out;
  }

  /** A message on its way, which may go through several times or not at all. */
  #carry(gate: object, arrive: () => void): void {
    const { dropped, doubled, delayed, longestDelayMs } = this.#weather;
    const once = () => {
      const late = this.#random.chance(delayed);
      const delayMs = 1 + (late ? this.#random.below(longestDelayMs) : this.#random.below(5));
      if (late) this.#count('delayed');
      this.#time.after(delayMs, () => {
        if (!this.#away && !this.#cut.has(gate)) arrive();
        else this.#count('cut off');
      });
    };
    if (this.#random.chance(dropped)) this.#count('dropped');
    else once();
    if (this.#random.chance(doubled)) {
      this.#count('doubled');
      once();
    }
  }

  #count(what: string): void {
    this.happened.set(what, (this.happened.get(what) ?? 0) + 1);
  }
}
