import type { Authorization } from '../container/azure/authorization.js';
import { checkSas } from '../container/azure/container-url.js';
import { type ParsedContainer, placeText } from '../container/open-container.js';
import { ClfsError, messageOf } from '../error.js';
import { logIn, wantsLogin } from './entra.js';
import { hasSharedKey, signWithKey } from './shared-key.js';
import { requireTrustedHost, SIGNATURE } from './trusted-hosts.js';

/**
 * How long before its end an authorization is renewed; one that is good for less than twice as long, at half its life.
 */
const RENEW_BEFORE_MS = 10 * 60_000;
const RENEW_AGAIN_MS = 15_000;
/** Node's timers end at 2^31 ms. */
const LONGEST_TIMER_MS = 86_400_000;

/** What authorizes this process at a container, kept valid while it runs. */
export interface Identity {
  /** Valid now, and changed in place whenever it is renewed. */
  readonly authorization: Authorization;
  /** Calls `listener` whenever it has been renewed. */
  onRenewed(listener: (authorization: Authorization) => void): void;
  /** Ends the renewal. */
  close(): void;
}

/** How an identity is found. */
export interface IdentityOptions {
  /** Further domains that tokens, and signatures for containers that were named elsewhere, may be sent to, semicolon-separated. */
  readonly trustedSuffixes?: string;
  /**
   * Whether the container was named by somebody on another machine, who is not to choose where a signature goes. Who names
   * it himself may use a host of his own.
   */
  readonly isNamedElsewhere?: boolean;
  /** Default: that of the process. */
  readonly env?: NodeJS.ProcessEnv;
  /** Told what the user has to do to log in. */
  readonly onPrompt?: (text: string) => void;
  /** Told when a renewal fails; it is tried again. */
  readonly onTrouble?: (text: string) => void;
}

/** An authorization with its end. */
interface Timed {
  readonly authorization: Authorization;
  /** Milliseconds since 1970; infinite when it cannot be renewed. */
  readonly expiresMs: number;
}

/**
 * Finds the authorization for a container: the SAS of its URL; else a login, when `AZCOPY_AUTO_LOGIN_TYPE` says how;
 * else one made from
 * `ACCOUNT_NAME` and `ACCOUNT_KEY`.
 *
 * @throws ClfsError `usage` when there is none of these, or a token or signature may not be sent there; `access-denied` when the SAS
 * has expired or the login fails
 */
export async function openIdentity(container: ParsedContainer, options: IdentityOptions = {}): Promise<Identity> {
  const obtain = await createSource(container, options);
  const first = await obtain();
  return new Renewal(first, obtain, options.onTrouble ?? (() => undefined));
}

async function createSource(
  { place, query }: ParsedContainer,
  options: IdentityOptions,
): Promise<() => Promise<Timed>> {
  const env = options.env ?? process.env;
  if (place.kind === 'local') return async () => forever({ query: '', bearer: '' });
  if (query === '' && wantsLogin(env)) {
    requireTrustedHost(place.address.origin, options.trustedSuffixes ?? '');
    const token = await logIn(env, options.onPrompt ?? (() => undefined));
    return async () => {
      const { token: bearer, expiresMs } = await token();
      return { authorization: { query: '', bearer }, expiresMs };
    };
  }
  if (query === '' && hasSharedKey(env)) {
    if (options.isNamedElsewhere) requireTrustedHost(place.address.origin, options.trustedSuffixes ?? '', SIGNATURE);
    return async () => {
      const sas = signWithKey(place.address, env, Date.now());
      return { authorization: { query: sas.query, bearer: '' }, expiresMs: sas.expiresMs };
    };
  }
  if (query === '' && options.isNamedElsewhere)
    throw new ClfsError(
      'usage',
      `Nothing lets this machine into the container ${placeText(place)}: name it here with a SAS by --container=env:NAME or --container=@FILE, or log in by an identity that AZCOPY_AUTO_LOGIN_TYPE names.`,
    );
  checkSas(query, Date.now());
  return async () => forever({ query, bearer: '' });
}

function forever(authorization: Authorization): Timed {
  return { authorization, expiresMs: Number.POSITIVE_INFINITY };
}

class Renewal implements Identity {
  readonly authorization: Authorization;
  readonly #obtain: () => Promise<Timed>;
  readonly #onTrouble: (text: string) => void;
  readonly #listeners: ((authorization: Authorization) => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(first: Timed, obtain: () => Promise<Timed>, onTrouble: (text: string) => void) {
    this.authorization = { ...first.authorization };
    this.#obtain = obtain;
    this.#onTrouble = onTrouble;
    this.#planFor(first.expiresMs);
  }

  onRenewed(listener: (authorization: Authorization) => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #planFor(expiresMs: number): void {
    if (expiresMs === Number.POSITIVE_INFINITY) return;
    const lifeMs = expiresMs - Date.now();
    this.#plan(Math.max(lifeMs - RENEW_BEFORE_MS, lifeMs / 2));
  }

  #plan(delayMs: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#renew(), Math.min(LONGEST_TIMER_MS, Math.max(0, delayMs)));
    this.#timer.unref();
  }

  async #renew(): Promise<void> {
    try {
      const { authorization, expiresMs } = await this.#obtain();
      if (this.#closed) return;
      Object.assign(this.authorization, authorization);
      for (const listener of this.#listeners) listener({ ...authorization });
      this.#planFor(expiresMs);
    } catch (error) {
      this.#onTrouble(`Cannot renew the authorization, trying again: ${messageOf(error)}`);
      this.#plan(RENEW_AGAIN_MS);
    }
  }
}
