import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../error.js';
import { VERSION } from '../version.js';
import { CommandContent } from './command-content.js';
import type { PageContent } from './content.js';
import { nothingYet } from './nothing-yet.js';
import { RecordedContent } from './recorded-content.js';
import { servePage } from './server.js';
import type { FromPageThread, PageThreadSetup, ToPageThread } from './thread-messages.js';

if (!parentPort) throw new Error('This file is the entry of a worker thread.');
const port = parentPort;
const send = (message: FromPageThread) => port.postMessage(message);

const { place, statePath, command } = workerData as PageThreadSetup;
let job = statePath === undefined ? undefined : new RecordedContent(statePath);
const running = command && new CommandContent(command);
const content: PageContent = {
  look: () => (job ?? running)?.look() ?? nothingYet(VERSION, []),
  search: (words, after, limit) => (job ?? running)?.search(words, after, limit) ?? { rows: [] },
  status: () => job?.status(),
};
try {
  const server = await servePage(place, content);
  port.on('message', (message: ToPageThread) => {
    if (message.kind === 'job') job = new RecordedContent(message.statePath);
    else if (message.kind === 'figures') running?.take(message.figures);
    else if (message.kind === 'line') running?.say(message.text);
    else if (message.kind === 'found') running?.find(message.batch);
    else {
      if (job && message.ending) job.end(message.ending);
      running?.end(message.ending);
      void server.close().finally(() => {
        send({ kind: 'closed' });
        port.close();
      });
    }
  });
  send({ kind: 'listening', port: server.port });
} catch (error) {
  send({ kind: 'refused', message: messageOf(error) });
}
