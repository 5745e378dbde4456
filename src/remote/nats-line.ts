import { errors, type NatsConnection } from '@nats-io/transport-node';
import { messageOf } from '../error.js';
import { type Clock, systemClock } from '../time/clock.js';

const AGAIN_MS = 1000;

/** Told what becomes of a line. */
export interface LineEvents {
  /** There is another connection: what was made of the former one is to be made anew. */
  renewed(connection: NatsConnection): void;
  /** The server is there (again), or away. */
  connected(open: boolean): void;
  /** The server refuses something, or whoever connects. */
  refused(reason: string): void;
}

/**
 * A connection to a server. Its client makes it again when it is lost; should it end for good all the same, there is
 * another one, so that nobody waits for what does not come.
 */
export class NatsLine {
  readonly #connect: () => Promise<NatsConnection>;
  readonly #clock: Clock;
  #connection: NatsConnection;
  #events: LineEvents | undefined;
  #isOpen = true;
  #isClosed = false;

  /** @param connect makes another connection */
  constructor(connection: NatsConnection, connect: () => Promise<NatsConnection>, clock: Clock = systemClock) {
    this.#connection = connection;
    this.#connect = connect;
    this.#clock = clock;
  }

  get connection(): NatsConnection {
    return this.#connection;
  }

  /** Whether the server is there: what is sent while it is not is thrown away. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Says who is told from here on. */
  follow(events: LineEvents): void {
    this.#events = events;
    this.#watch(this.#connection);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#connection.close().catch(() => undefined);
    discardSocket(this.#connection);
  }

  #watch(connection: NatsConnection): void {
    void this.#listen(connection);
    void connection.closed().then((error) => this.#replace(error));
  }

  async #listen(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (this.#isClosed) return;
      if (status.type === 'error' && isRefusal(status.error)) this.#events?.refused(refusalText(status.error));
      // While it connects again and is refused, it is lost again each time.
      else if (status.type === 'disconnect') this.#set(false);
      else if (status.type === 'reconnect') this.#set(true);
    }
  }

  #set(open: boolean): void {
    if (this.#isOpen === open || this.#isClosed) return;
    this.#isOpen = open;
    this.#events?.connected(open);
  }

  async #replace(reason: unknown): Promise<void> {
    this.#set(false);
    if (reason !== undefined && !this.#isClosed) this.#events?.refused(messageOf(reason));
    while (!this.#isClosed) {
      try {
        const connection = await this.#connect();
        if (this.#isClosed) {
          await connection.close();
          return;
        }
        this.#connection = connection;
        this.#watch(connection);
        this.#events?.renewed(connection);
        this.#set(true);
        return;
      } catch (error) {
        if (this.#isClosed) return;
        this.#events?.refused(messageOf(error));
        await this.#clock.sleep(AGAIN_MS);
      }
    }
  }
}

function isRefusal(error: Error): boolean {
  return (
    error instanceof errors.PermissionViolationError ||
    error instanceof errors.AuthorizationError ||
    error instanceof errors.UserAuthenticationExpiredError
  );
}

/** What is refused; of a subject by which answers come, which is another one each time, what is to be permitted. */
function refusalText(error: Error): string {
  return messageOf(error).replace(/\.[0-9A-Z]{22}(\.[^"]*)?"/, '.>"');
}

/**
 * A connection that is closed while it is made again has a socket that waits for a server to speak. Nobody ends it, and it
 * keeps the process.
 */
function discardSocket(connection: NatsConnection): void {
  const { protocol } = connection as { readonly protocol?: { readonly transport?: { discard?(): void } } };
  protocol?.transport?.discard?.();
}
