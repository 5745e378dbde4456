import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ClfsError, messageOf } from '../error.js';
import { FoundBatches } from './found.js';
import type { OpenPage, PageOptions } from './page-options.js';
import { addressOf, isAtHome, pagePlace } from './page-place.js';
import type { FromPageThread, PageThreadSetup, ToPageThread } from './thread-messages.js';

/** How long the thread may take to tell who looks on how it ended. */
const LAST_LOOK_MS = 3000;

/** Serves a page from a thread of its own: whatever is asked there holds up nothing here. */
export async function openPageThread({ listen, token, statePath, command }: PageOptions): Promise<OpenPage> {
  const place = pagePlace(listen, token);
  const setup: PageThreadSetup = {
    place,
    statePath: statePath === undefined ? undefined : resolve(statePath),
    command: command && { title: command.title, from: command.from ?? '', to: command.to ?? '' },
  };
  const worker = new Worker(new URL('./page-thread-entry.js', import.meta.url), { workerData: setup });
  let isGone = false;
  let isClosed = false;
  const lost = new Promise<string>((resolveLost) => {
    const gone = (reason: string) => {
      isGone = true;
      if (!isClosed) resolveLost(reason);
    };
    worker.on('error', (error) => gone(messageOf(error)));
    worker.on('exit', (code) => gone(`its thread ended with code ${code}`));
  });
  const port = await new Promise<number>((resolvePort, reject) => {
    void lost.then((reason) => reject(new ClfsError('worker', `The page ended at once: ${reason}.`)));
    worker.once('message', (message: FromPageThread) => {
      if (message.kind === 'listening') resolvePort(message.port);
      else reject(new ClfsError('usage', message.kind === 'refused' ? message.message : 'The page ended at once.'));
    });
  });
  // It keeps no process alive, and ends no job.
  worker.unref();
  const tell = (message: ToPageThread) => {
    if (!isGone) worker.postMessage(message);
  };
  const found = new FoundBatches();
  const tellFound = () => {
    const batch = found.take();
    if (batch) tell({ kind: 'found', batch });
  };
  const address = addressOf(place.host, port);
  return {
    address,
    url: `${address}${token === undefined ? place.token : 'TOKEN'}/`,
    warning: isAtHome(place.host) ? undefined : exposedText(place.host),
    lost,
    about: (path) => tell({ kind: 'job', statePath: resolve(path) }),
    show(figures) {
      tell({ kind: 'figures', figures });
      tellFound();
    },
    // Told with the figures: there may be millions.
    found: (finding) => found.add(finding),
    say: (text) => tell({ kind: 'line', text }),
    async close(ending) {
      isClosed = true;
      if (isGone) return;
      worker.ref();
      tellFound();
      const ended = new Promise((resolveEnd) => worker.once('exit', resolveEnd));
      tell({ kind: 'end', ending });
      await Promise.race([ended, sleep(LAST_LOOK_MS, undefined, { ref: false })]);
      // A look that does not end, as at a state whose file system hangs, holds up nobody.
      worker.unref();
      if (!isGone) void worker.terminate();
    },
  };
}

function exposedText(host: string): string {
  return `The page listens on ${host}, beyond this machine: it is sent without encryption, and whoever has its token sees names and figures of the job. Prefer 127.0.0.1 and a tunnel: ssh -L PORT:127.0.0.1:PORT HOST.`;
}
