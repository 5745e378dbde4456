// A lane that never returns from a call of the system.
import { openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

let fifo = '';
parentPort.on('message', (message) => {
  if (message.say === 'open') fifo = message.setup.fifo;
  if (message.say === 'task') readSync(openSync(fifo, 'r'), Buffer.alloc(1));
});
