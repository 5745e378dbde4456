import { runAtScale } from './scale-verbs.js';

/**
 * A program of its own, so that its memory is that of the verb: a verb and a number of entries in, a line of JSON out.
 */
const [verb, count] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(await runAtScale(verb, Number(count)))}\n`);
