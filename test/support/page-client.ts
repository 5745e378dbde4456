import { type ChildProcess, spawn } from 'node:child_process';
import { get as httpGet, type IncomingHttpHeaders, request } from 'node:http';

const BIN = new URL('../../bin/clfsload', import.meta.url).pathname;
const ADDRESS = /page of this job: (http:\/\/\S+)/;

/** A program that serves a page. */
export interface ServedPage {
  readonly child: ChildProcess;
  /** Where the page is, by its token. */
  readonly url: string;
  readonly token: string;
  /** What has been written so far, on standard output and standard error. */
  output(): string;
  readonly done: Promise<number | null>;
}

/** Starts the program, and waits until it has said where its page is. @throws with what it said, when it ends before */
export async function startPage(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<ServedPage> {
  const child = spawn(process.execPath, [BIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let output = '';
  const done = new Promise<number | null>((resolve) => child.on('close', resolve));
  const url = await new Promise<string>((resolve, reject) => {
    const take = (text: string) => {
      output += text;
      const [, found] = ADDRESS.exec(output) ?? [];
      if (found && output.includes('\n', output.indexOf(found))) resolve(found);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    void done.then((code) => reject(new Error(`It ended with ${code}: ${output}`)));
  });
  const [, token = ''] = /:\d+\/([^/]+)\/$/.exec(url) ?? [];
  return { child, url, token, output: () => output, done };
}

/** An answer to a request. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Asks as no browser would let a page do it: with any method and any header. */
export function ask(
  url: string,
  { method = 'GET', headers = {}, path }: { method?: string; headers?: Record<string, string>; path?: string } = {},
): Promise<Answer> {
  const { hostname, port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, method, headers, path: path ?? `${pathname}${search}` }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** What a page is told, event by event, until the program ends it. */
export async function* eventsOf(url: string): AsyncGenerator<{ readonly event: string; readonly data: unknown }> {
  const response = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
    httpGet(new URL('events', url), resolve).on('error', reject);
  });
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      const [, event = 'message'] = /^event: (.*)$/m.exec(block) ?? [];
      const [, data] = /^data: (.*)$/m.exec(block) ?? [];
      if (data !== undefined) yield { event, data: JSON.parse(data) as unknown };
    }
  }
}
