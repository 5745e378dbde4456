import { setTimeout as sleep } from 'node:timers/promises';
import { openLocalContainer } from '../../src/container/local-container.js';
import { load } from '../../src/load/load.js';
import { withAsyncSide } from './async-source.js';

/*
 * A load from a source of which each call takes a millisecond, in this process, to a container on disk: no FUSE, no
 * server, one lane. Says in seconds how long it took.
 *
 * Arguments: source, directory of the container, state directory.
 */

const CALL_MS = 1;
const [, , source, destination, statePath] = process.argv;
const begun = performance.now();
const { status, error } = await load({
  source,
  destination,
  statePath,
  internals: {
    container: await openLocalContainer(destination),
    wrapSource: (tree) => withAsyncSide(tree, () => sleep(CALL_MS), true),
  },
});
if (status !== 'Completed') throw error;
console.log(String((performance.now() - begun) / 1000));
