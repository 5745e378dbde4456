import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';

/** What somebody asks for who may. */
export interface Admitted {
  /** Below the token; empty for the page itself. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** Why somebody is not let in. */
export interface Refused {
  readonly status: 400 | 401 | 404 | 405 | 421;
}

/** Paths that take the token as a bearer too: programs ask for them. */
const FOR_PROGRAMS = new Set(['metrics', 'status.json', 'report.html']);

/** Decides who may look at a job: who has the token, and asks by a name of this machine. */
export class Gate {
  readonly #token: Buffer;
  readonly #host: string;

  /** @param host that is listened on, as it was given */
  constructor(token: string, host: string) {
    this.#token = digest(token);
    this.#host = host.toLowerCase();
  }

  admit({ method, url = '/', headers }: IncomingMessage): Admitted | Refused {
    // A name that another site has led to this machine is none of it.
    if (!this.#isOwnName(headers.host)) return { status: 421 };
    if (method !== 'GET' && method !== 'HEAD') return { status: 405 };
    let parsed: URL;
    try {
      parsed = new URL(url, 'http://localhost');
    } catch {
      return { status: 400 };
    }
    const [, first, ...rest] = parsed.pathname.split('/');
    const query = parsed.searchParams;
    if (rest.length === 0 && FOR_PROGRAMS.has(first)) {
      const [, bearer = ''] = /^Bearer (\S+)$/i.exec(headers.authorization ?? '') ?? [];
      return this.#isToken(bearer) ? { path: first, query } : { status: 401 };
    }
    return rest.length > 0 && this.#isToken(first) ? { path: rest.join('/'), query } : { status: 404 };
  }

  #isToken(given: string): boolean {
    return timingSafeEqual(digest(given), this.#token);
  }

  #isOwnName(host = ''): boolean {
    const name = host
      .toLowerCase()
      .replace(/:\d+$/, '')
      .replace(/^\[(.*)\]$/, '$1');
    return name === 'localhost' || isIP(name) !== 0 || name === this.#host || name === hostname().toLowerCase();
  }
}

/** Of the same length whatever is given, so that the comparison takes the same time. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
