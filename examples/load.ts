// Loads a directory into a container: node load.js SOURCE CONTAINER STATE
import { isClfsError, load, messageOf } from 'clfsload';

const [source, destination, statePath] = process.argv.slice(2);
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

try {
  const summary = await load({
    source,
    destination,
    statePath,
    signal: stop.signal,
    onEvent: (event) => {
      if (event.kind === 'message') console.error(event.text);
    },
  });
  console.log(`${summary.status}: ${summary.progress.filesDone} entries, ${summary.progress.bytesDone} bytes`);
  for (const { reason, entries } of summary.failures) console.log(`${entries} failed: ${reason}`);
  process.exitCode = summary.status === 'Completed' ? 0 : 1;
} catch (error) {
  // The load was refused before it began.
  if (!isClfsError(error)) throw error;
  console.error(`${error.code}: ${messageOf(error)}`);
  process.exitCode = 2;
}
