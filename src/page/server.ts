import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ClfsError, messageOf } from '../error.js';
import { escapeText, jsonLine } from '../text/escape-path.js';
import { snakeFields } from '../text/snake-fields.js';
import type { PageContent } from './content.js';
import { Doorway } from './doorway.js';
import { Gate } from './gate.js';
import { LiveUpdates } from './live-updates.js';
import { pageHtml, policyOf, reportHtml } from './page-html.js';
import { reportedFailures } from './reported-failures.js';

/** Where a page is served, and to whom. */
export interface PagePlace {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly token: string;
}

/** A page that is served. */
export interface PageServer {
  readonly port: number;
  /** Tells who looks on how it ended, and serves nothing more. */
  close(): Promise<void>;
}

const LOOK_MS = 1000;
/** The next look comes after so many times what one took: it never takes much of a processor. */
const REST_FACTOR = 20;
/** But not so late that who looks on is taken for gone. */
const LONGEST_REST_MS = 60_000;
const MOST_ONLOOKERS = 64;

/** What every answer says. */
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

/**
 * Serves the page of a job: the page itself, what changes, searches, the report, the status and the metrics.
 *
 * @throws ClfsError `usage` when it cannot be served there
 */
export async function servePage(place: PagePlace, content: PageContent): Promise<PageServer> {
  const server = createServer((request, response) => page.answer(request, response));
  const page = new Page(content, new Gate(place.token, place.host), new Doorway(server));
  await listen(server, place);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async close() {
      page.end();
      server.close();
      // What has been written is sent; then nobody is waited for.
      await new Promise((resolve) => setImmediate(resolve));
      server.closeIdleConnections();
      await Promise.race([new Promise((resolve) => server.on('close', resolve)), pause(500)]);
      server.closeAllConnections();
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

function listen(server: Server, { host, port }: PagePlace): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === 'EADDRINUSE'
          ? 'another program listens there'
          : cause.code === 'EADDRNOTAVAIL'
            ? 'this machine has no such address'
            : messageOf(cause);
      const text = `Cannot serve the page on ${JSON.stringify(`${host}:${port}`)}: ${why}. Name another place as HOST:PORT; port 0 is a free one.`;
      reject(new ClfsError('usage', text, { cause }));
    });
    server.listen(port, host, resolve);
  });
}

class Page {
  readonly #content: PageContent;
  readonly #gate: Gate;
  readonly #doorway: Doorway;
  readonly #updates = new LiveUpdates();
  readonly #html = pageHtml();
  readonly #policy = policyOf(this.#html);
  /** The latest answer that is being made. */
  #last = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(content: PageContent, gate: Gate, doorway: Doorway) {
    this.#content = content;
    this.#gate = gate;
    this.#doorway = doorway;
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    const admitted = this.#gate.admit(request);
    if ('status' in admitted) {
      const more: Record<string, string> = admitted.status === 401 ? { 'www-authenticate': 'Bearer' } : {};
      this.#send(response, admitted.status, 'text/plain', REFUSALS[admitted.status], { ...more, connection: 'close' });
      return;
    }
    this.#doorway.admit(request.socket);
    const { path, query } = admitted;
    this.#last = this.#last.then(() => this.#serveNext(path, query, response));
  }

  /** One answer after another is made, and none for somebody who has gone meanwhile. */
  async #serveNext(path: string, query: URLSearchParams, response: ServerResponse): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    // What is asked one behind another by one connection has no response of its own to tell.
    if (response.req.socket.destroyed) return;
    try {
      await this.#serve(path, query, response);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else this.#send(response, 503, 'text/plain', `${escapeText(messageOf(error))}\n`);
    }
  }

  async #serve(path: string, query: URLSearchParams, response: ServerResponse): Promise<void> {
    switch (path) {
      case '':
        this.#send(response, 200, 'text/html', this.#html, { 'content-security-policy': this.#policy });
        return;
      case 'events':
        this.#follow(response);
        return;
      case 'failures': {
        const after = Number(query.get('after') ?? 0);
        const found = this.#content.search(query.get('q') ?? '', Number.isSafeInteger(after) ? after : 0);
        this.#send(response, 200, 'application/json', jsonLine(found));
        return;
      }
      case 'report.html': {
        const report = { model: this.#content.look(), failures: reportedFailures(this.#content) };
        const headers = { 'content-disposition': 'attachment; filename="report.html"' };
        this.#send(response, 200, 'text/html', reportHtml(report), headers);
        return;
      }
      case 'status.json': {
        const status = this.#content.status();
        if (status === undefined) this.#send(response, 503, 'text/plain', 'There is no job yet.\n');
        else this.#send(response, 200, 'application/json', jsonLine(snakeFields(status)));
        return;
      }
      case 'metrics': {
        const { metricsText, METRICS_TYPE } = await import('./metrics.js');
        this.#send(response, 200, METRICS_TYPE, await metricsText(this.#content.look()));
        return;
      }
      default:
        this.#send(response, 404, 'text/plain', REFUSALS[404]);
    }
  }

  #send(response: ServerResponse, status: number, type: string, body: string, more: Record<string, string> = {}): void {
    const content = type.includes(';') ? type : `${type}; charset=utf-8`;
    response.writeHead(status, { ...HEADERS, ...more, 'content-type': content });
    response.end(response.req.method === 'HEAD' ? undefined : body);
  }

  #follow(response: ServerResponse): void {
    if (this.#isOver || this.#updates.count >= MOST_ONLOOKERS) {
      this.#send(response, 503, 'text/plain', 'Too many look on already.\n');
      return;
    }
    response.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream' });
    if (response.req.method === 'HEAD') {
      response.end();
      return;
    }
    this.#updates.add(response);
    clearTimeout(this.#timer);
    this.#tell();
  }

  /** Looks, tells, and comes again while somebody looks on. */
  #tell(): void {
    const begun = performance.now();
    this.#updates.tell(this.#content.look());
    if (this.#updates.count === 0) return;
    const restMs = Math.min(LONGEST_REST_MS, Math.max(LOOK_MS, REST_FACTOR * (performance.now() - begun)));
    this.#timer = setTimeout(() => this.#tell(), restMs);
    this.#timer.unref();
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (this.#updates.count > 0) this.#updates.tell(this.#content.look());
    this.#updates.end();
  }
}

const REFUSALS = {
  400: 'This is no request.\n',
  401: 'The token is needed: Authorization: Bearer TOKEN.\n',
  404: 'There is nothing here.\n',
  405: 'The page is only read.\n',
  421: 'The page is not asked for by that name: ask by the address that it was started with, or start it at NAME:PORT.\n',
} as const;
