import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Delivery, DriverLink, Listener, OpenDriverLink, WorkerLink } from '../../src/remote/link.js';

/** A server of workers, as its contract sees it. */
export interface LinkWorld {
  readonly openDriver: OpenDriverLink;
  openWorker(): Promise<WorkerLink>;
  /** The server is away. */
  leave(): Promise<void>;
  /** It is there again, and has forgotten everything. */
  comeBack(): Promise<void>;
  /** Time goes by. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** The shortest time for which tickets can be waited for, and a bit. */
const PULL_MS = 1100;

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString();

/** What a driver has heard. */
class Heard implements Listener {
  readonly connections: boolean[] = [];
  readonly questions: string[] = [];
  /** Answers that are owed. */
  readonly answers: ((bytes: Uint8Array) => void)[] = [];
  readonly welcome: string | undefined;

  constructor(welcome?: string) {
    this.welcome = welcome;
  }

  candidate(): Uint8Array | undefined {
    return this.welcome === undefined ? undefined : Buffer.from(this.welcome);
  }

  question(bytes: Uint8Array, answer: (bytes: Uint8Array) => void): void {
    this.questions.push(Buffer.from(bytes).toString());
    this.answers.push(answer);
    if (!this.questions.at(-1)?.startsWith('later')) answer(Buffer.from(`answer to ${this.questions.at(-1)}`));
  }

  connected(open: boolean): void {
    this.connections.push(open);
  }

  refused(reason: string): void {
    throw new Error(`Nothing is refused here: ${reason}`);
  }
}

/** What every {@link DriverLink} and {@link WorkerLink} does, while nothing is lost on the way. */
export function linkContract(openWorld: () => Promise<LinkWorld>): void {
  let world: LinkWorld;
  let closed: (() => Promise<void>)[] = [];
  beforeEach(async () => {
    world = await openWorld();
  });
  afterEach(async () => {
    for (const close of closed) await close();
    closed = [];
    await world.close();
  });
  const openDriver = async (epoch: string, job = epoch): Promise<DriverLink> => {
    const link = await world.openDriver({ job, epoch });
    closed.push(() => link.close());
    return link;
  };
  const openWorker = async (): Promise<WorkerLink> => {
    const link = await world.openWorker();
    closed.push(() => link.close());
    return link;
  };
  const until = async (isSo: () => boolean) => {
    for (let tries = 0; !isSo(); tries++) {
      expect(tries, String(isSo)).toBeLessThan(1000);
      await world.pass(20);
    }
  };
  /** Pulls until so many tickets were found. */
  const find = async (worker: WorkerLink, queue: string, count: number, accepts = true): Promise<Delivery[]> => {
    const found: Delivery[] = [];
    for (let tries = 0; found.length < count; tries++) {
      expect(tries, `tickets found: ${found.length} of ${count}`).toBeLessThan(20);
      await worker.pull(queue, count - found.length, PULL_MS, (delivery) => {
        found.push(delivery);
        if (accepts) delivery.accept();
      });
    }
    return found;
  };
  const findNothing = async (worker: WorkerLink, queue: string) => {
    const found: number[] = [];
    await worker.pull(queue, 10, PULL_MS, ({ ticket }) => found.push(ticket));
    expect(found).toEqual([]);
  };

  it('brings a request for work to the drivers, and the first answer back; nothing where nobody answers', async () => {
    const [silent, willing] = [await openDriver('a'), await openDriver('b')];
    const worker = await openWorker();
    silent.listen(new Heard());
    expect(await worker.apply(Buffer.from('me'), 200)).toBeUndefined();
    willing.listen(new Heard('welcome'));
    expect(text(await worker.apply(Buffer.from('me'), 5000))).toBe('welcome');
  });

  it('brings a question to the driver of its epoch alone, which may answer later, or never', async () => {
    const [first, second] = [await openDriver('a'), await openDriver('b')];
    const worker = await openWorker();
    const heard = [new Heard(), new Heard()];
    first.listen(heard[0]);
    second.listen(heard[1]);
    expect(text(await worker.ask('b', Buffer.from('now'), 5000))).toBe('answer to now');
    expect(heard[0].questions).toEqual([]);
    const asked = worker.ask('a', Buffer.from('later'), 5000);
    await until(() => heard[0].answers.length === 1);
    heard[0].answers[0](Buffer.from('at last'));
    expect(text(await asked)).toBe('at last');
    expect(await worker.ask('a', Buffer.from('later, or never'), 200)).toBeUndefined();
    expect(await worker.ask('nobody', Buffer.from('now'), 200)).toBeUndefined();
  });

  it('takes messages of the length that it names, both ways', async () => {
    const driver = await openDriver('a');
    const worker = await openWorker();
    const long = 'x'.repeat(Math.min(driver.longestBytes, worker.longestBytes) - 100);
    const heard = new Heard();
    heard.question = (bytes, answer) => answer(bytes);
    driver.listen(heard);
    expect(text(await worker.ask('a', Buffer.from(long), 5000))).toBe(long);
  });

  it('gives each ticket to one worker, as many as it asks for, and says that it is the first time', async () => {
    const driver = await openDriver('a');
    driver.listen(new Heard());
    const workers = [await openWorker(), await openWorker()];
    await findNothing(workers[0], driver.queue);
    for (let ticket = 1; ticket <= 5; ticket++) driver.offer(ticket);
    const found = [await find(workers[0], driver.queue, 2), await find(workers[1], driver.queue, 3)];
    const all = found.flat();
    expect(new Set(all.map(({ ticket }) => ticket))).toEqual(new Set([1, 2, 3, 4, 5]));
    expect(all.map(({ deliveries }) => deliveries)).toEqual([1, 1, 1, 1, 1]);
    await findNothing(workers[0], driver.queue);
  });

  it('gives a ticket out again that nobody has accepted, and says how often', async () => {
    const driver = await openDriver('a');
    driver.listen(new Heard());
    const workers = [await openWorker(), await openWorker()];
    driver.offer(7);
    driver.offer(8);
    const first = await find(workers[0], driver.queue, 2, false);
    expect(first.map(({ deliveries }) => deliveries)).toEqual([1, 1]);
    for (const { ticket, accept } of first) if (ticket === 8) accept();
    const [again] = await find(workers[1], driver.queue, 1);
    expect(again).toMatchObject({ ticket: 7, deliveries: 2 });
    await findNothing(workers[0], driver.queue);
  });

  it('gives a ticket that somebody refuses to another one at once', async () => {
    const driver = await openDriver('a');
    driver.listen(new Heard());
    const workers = [await openWorker(), await openWorker()];
    driver.offer(7);
    const [first] = await find(workers[0], driver.queue, 1, false);
    first.refuse();
    const found: Delivery[] = [];
    await workers[1].pull(driver.queue, 1, PULL_MS, (delivery) => void found.push(delivery));
    expect(found).toMatchObject([{ ticket: 7, deliveries: 2 }]);
    found[0].accept();
  });

  it('offers anew what nobody has, in another queue, when it was lost; what comes of the old one touches nothing', async () => {
    const driver = await openDriver('a');
    const heard = new Heard();
    driver.listen(heard);
    const worker = await openWorker();
    for (const ticket of [1, 2, 3]) driver.offer(ticket);
    const former = driver.queue;
    const [held] = await find(worker, former, 1, false);
    driver.withdraw(3);
    await world.leave();
    await until(() => heard.connections.includes(false));
    expect(await worker.ask('a', Buffer.from('now'), 200)).toBeUndefined();
    driver.offer(4);
    await world.comeBack();
    await until(() => driver.queue !== former && heard.connections.at(-1) === true);
    await findNothing(worker, former);
    held.accept();
    const found = await find(worker, driver.queue, 3);
    expect(new Set(found.map(({ ticket }) => ticket))).toEqual(new Set([1, 2, 4]));
    expect(found.map(({ deliveries }) => deliveries)).toEqual([1, 1, 1]);
    expect(text(await worker.ask('a', Buffer.from('now'), 5000))).toBe('answer to now');
  });

  it('does not confuse drivers: each has a queue of its own, and a later session of a job has another one', async () => {
    // As drivers name jobs and sessions: no driver removes what has another form.
    const [job, otherJob] = ['0123abcd', 'fedc9876'];
    const [first, other] = [
      await openDriver(`${job}-000000000001`, job),
      await openDriver(`${otherJob}-000000000001`, otherJob),
    ];
    for (const driver of [first, other]) driver.listen(new Heard());
    const worker = await openWorker();
    first.offer(1);
    other.offer(2);
    expect((await find(worker, other.queue, 1)).map(({ ticket }) => ticket)).toEqual([2]);
    const second = await openDriver(`${job}-000000000002`, job);
    second.listen(new Heard());
    expect(second.queue).not.toBe(first.queue);
    second.offer(3);
    expect((await find(worker, second.queue, 1)).map(({ ticket }) => ticket)).toEqual([3]);
    await findNothing(worker, first.queue);
  });

  it('is quiet when it is closed', async () => {
    const driver = await world.openDriver({ job: 'a', epoch: 'a' });
    driver.listen(new Heard('welcome'));
    const worker = await openWorker();
    const { queue } = driver;
    driver.offer(1);
    await driver.close();
    expect(await worker.apply(Buffer.from('me'), 200)).toBeUndefined();
    expect(await worker.ask('a', Buffer.from('now'), 200)).toBeUndefined();
    await findNothing(worker, queue);
  });
}
