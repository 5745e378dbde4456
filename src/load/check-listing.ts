import { Tally } from '../books/tally.js';
import { runAll } from '../engine/run-all.js';
import { ClfsError } from '../error.js';
import { ENTRY_TYPE_NAMES, ObjectType } from '../format/ids.js';
import { BUCKET_NAME } from '../format/names.js';
import { stopped } from '../worker/breakage.js';
import type { LoadKinds, SurveyTask } from '../worker/tasks.js';
import { type EndTools, requireGoOn } from './end-tools.js';
import type { JobContext } from './job-context.js';

/** Objects from which on the listing is taken in some 100 parts, and in some 1,600: names begin with a hash. */
const PARTS_FROM = 100_000;
const MANY_PARTS_FROM = 10_000_000;
/** Objects for which starting a further thread is worth it. */
const ALL_LANES_FROM = 500_000;
const NAMES_SHOWN = 5;
const HEX = Array.from('0123456789ABCDEF');
const ASCII = Array.from({ length: 0x7f - 0x20 }, (_, index) => String.fromCharCode(0x20 + index));

/** What the listing of the container shows. */
export interface ContainerListing {
  /** Whether the root that is about to be put is there already. */
  readonly rootFound: boolean;
}

/**
 * Lists the container and compares it with the books: kind by kind the number of objects, their length and the hash of
 * their names, and the bucket object and the logs by name.
 *
 * @param rootName name of the root that commits the job: a session that died may have put it; undefined when none is to
 * be put
 * @throws ClfsError `container-differs` saying what differs, as far as a listing tells; `cancelled`; whatever the
 * container throws
 */
export async function checkListing(
  context: JobContext,
  tools: EndTools,
  rootName: string | undefined,
): Promise<ContainerListing> {
  const { state } = context;
  const tasks = partPrefixes(tools.work.container.listsByPrefix, state.tally.count).map(
    (prefix): SurveyTask => ({ prefix, apart: rootName ?? '' }),
  );
  const lanes = state.tally.count < ALL_LANES_FROM ? tools.lanes() : { first: 0, end: tools.runner.lanes };
  const { runner, signal } = tools;
  const parts = await runAll<LoadKinds, 'survey'>({ runner, lanes, signal, cancelled: stopped }, 'survey', tasks);
  requireGoOn(tools.signal);
  const found = new Tally();
  for (const { tally } of parts) found.plus(Tally.decode(tally));
  const others = new Set(parts.flatMap((part) => part.others));
  const differences = [...kindDifferences(state.tally, found), ...nameDifferences(others, state.record.logNames)];
  if (differences.length > 0) {
    throw new ClfsError(
      'container-differs',
      `The container ${JSON.stringify(state.record.spec.container)} does not hold exactly what this job put into it: ${differences.join('; ')}. It was not committed. Find out what differs by "clfsload fsck --content" with the container, put back what was removed or remove what was added, and go on with --new-session=false: the listing is checked again then.`,
    );
  }
  return { rootFound: parts.some(({ apartFound }) => apartFound) };
}

/**
 * Prefixes that share out the names of a container, so that parts are listed side by side: each name begins with at
 * most one of them.
 *
 * The service lists by whole characters, of which there are a million: with few objects the one prefix is empty, with
 * many only names are seen that begin with a printable ASCII character, and with very many only those whose second
 * character is one, too, where the first is a hexadecimal digit. All objects are; a foreign blob need not be.
 *
 * @param objects that the job has put, about
 */
export function partPrefixes(listsByPrefix: boolean, objects: number): readonly string[] {
  if (!listsByPrefix || objects < PARTS_FROM) return [''];
  const others = ASCII.filter((character) => !HEX.includes(character));
  if (objects < MANY_PARTS_FROM) return [...HEX, ...others];
  return [...HEX.flatMap((first) => ASCII.map((second) => first + second)), ...others];
}

function kindDifferences(expected: Tally, found: Tally): readonly string[] {
  return expected.differences(found).map((kind) => {
    const [was, is] = [expected.of(kind), found.of(kind)];
    const what = kindName(kind);
    if (was.count !== is.count) {
      const count = Math.abs(was.count - is.count);
      return `${count} ${what}${count === 1 ? '' : 's'} ${was.count > is.count ? 'missing' : 'too many'} (${is.count} in place of ${was.count})`;
    }
    if (was.bytes !== is.bytes) return `the ${what}s have ${is.bytes} bytes in place of ${was.bytes}`;
    return `the names or lengths of some of ${was.count} ${what}s are others`;
  });
}

function kindName(kind: number): string {
  if (kind === ObjectType.segment) return 'segment';
  if (kind === ObjectType.indirect) return 'indirect block';
  return `${ENTRY_TYPE_NAMES[kind] ?? `object of type ${kind}`} inode`;
}

function nameDifferences(others: ReadonlySet<string>, logNames: readonly string[]): readonly string[] {
  const expected = new Set([BUCKET_NAME, ...logNames]);
  const missing = [...expected].filter((name) => !others.has(name));
  const foreign = [...others].filter((name) => !expected.has(name));
  return [
    ...missing.map((name) => `${name === BUCKET_NAME ? 'the bucket object' : `the log ${name}`} is missing`),
    ...foreign.slice(0, NAMES_SHOWN).map((name) => `${JSON.stringify(name)} is no blob of the job`),
    ...(foreign.length > NAMES_SHOWN ? [`${foreign.length - NAMES_SHOWN} further blobs that are none of the job`] : []),
  ];
}
