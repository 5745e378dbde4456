import { counted, type DryRun, ENTRY_TYPE_NAMES, escapePath } from '../index.js';
import { pathFields as plainFields } from './fields-line.js';
import { durationText, shortBytes } from './progress/quantities.js';
import { kindCounts } from './verbs/entry-text.js';

/** Rate for which the time is told when no cap is given, in megabits per second. */
const USUAL_MBPS = 1000;
/** PUT requests a second for which the time is told: about what one machine has from a service that is near. */
const USUAL_PUTS = 1000;

/** What a dry run found, for people. */
export function dryRunText(run: DryRun, capMbps: number, preserved: boolean): string {
  const mbps = capMbps || USUAL_MBPS;
  const types = ENTRY_TYPE_NAMES.map((name, type) => [name, run.types[type] ?? 0] as const).filter(
    ([, count]) => count > 0,
  );
  return [
    'This was a dry run: nothing has been written.',
    '',
    `Entries: ${run.entries} (${kindCounts(Object.fromEntries(types))})`,
    `Bytes of file data: ${bytesText(run.bytes)}`,
    `Objects to be written: ${run.objects}`,
    `PUT requests: ${run.puts}`,
    `Hard-link groups: ${run.linkGroups} (${counted(run.linkNames, 'names')}${run.linkGroups > 0 && !preserved ? '; --preserve-hardlinks keeps them, else each name becomes a file of its own' : ''})`,
    `Unreadable entries: ${run.unreadable}`,
    ...unreadableLines(run),
    `Excluded entries: ${run.excluded}`,
    ...run.unmatched.map(
      (flag) =>
        `  nothing in the source matches ${flag}${flag.startsWith('--exclude-pattern') && /\[[^\]]*$/.test(flag) ? ', in which a [ has no ]' : ''}`,
    ),
    ...unstorableLines(run.unstorable),
    `Time at ${mbps} Mb/s and ${USUAL_PUTS} requests a second, uncompressed: ${durationText(seconds(run, mbps))}`,
    'Largest directories:',
    ...run.largest.map(({ path, entries }) => `  ${counted(entries, 'entries')}  ${escapePath(path) || '.'}`),
  ].join('\n');
}

/** Exact, and short where that says something else. */
function bytesText(bytes: number): string {
  const short = shortBytes(bytes);
  return short === `${bytes}` ? short : `${bytes} (${short})`;
}

/** The same as an object. */
export function dryRunFields(run: DryRun, capMbps: number): Record<string, unknown> {
  const mbps = capMbps || USUAL_MBPS;
  return {
    entries: run.entries,
    entries_by_type: Object.fromEntries(
      ENTRY_TYPE_NAMES.map((name, type) => [name, run.types[type] ?? 0]).filter(([name]) => name !== ''),
    ),
    bytes: run.bytes,
    objects: run.objects,
    put_requests: run.puts,
    hard_link_groups: run.linkGroups,
    hard_link_names: run.linkNames,
    unreadable: run.unreadable,
    unreadable_first: run.unreadableFirst.map(({ path, message }) => ({ ...pathFields(path), message })),
    unmatched: run.unmatched,
    excluded: run.excluded,
    not_held: run.unstorable
      ? {
          acls: tallyFields(run.unstorable.acls),
          extended_attributes: tallyFields(run.unstorable.attributes),
          hsm_released: tallyFields(run.unstorable.released),
        }
      : null,
    rate_Mbps: mbps,
    requests_per_second: USUAL_PUTS,
    seconds_at_rate: seconds(run, mbps),
    largest_directories: run.largest.map(({ path, entries }) => ({
      ...pathFields(path),
      entries,
    })),
  };
}

function unreadableLines({ unreadable, unreadableFirst }: DryRun): readonly string[] {
  const lines = unreadableFirst.map(({ path, message }) => `  ${escapePath(path) || '.'}: ${message}`);
  return unreadable > lines.length ? [...lines, `  and ${counted(unreadable - lines.length, 'others')}`] : lines;
}

/** The root is shown as a dot. */
function pathFields(path: Uint8Array): { readonly path: string; readonly path_hex: string } {
  const fields = plainFields(path);
  return path.length === 0 ? { ...fields, path: '.' } : fields;
}

function unstorableLines(unstorable: DryRun['unstorable']): readonly string[] {
  if (!unstorable) return ['What the format cannot hold was not looked for: /proc is not there.'];
  const { acls, attributes, released } = unstorable;
  return [
    `Entries with POSIX ACLs, which the format cannot hold: ${tallyText(acls)}`,
    `Entries with extended attributes, which it cannot hold either: ${tallyText(attributes)}`,
    `Files that HSM has released, and that a load recalls: ${tallyText(released)}`,
  ];
}

function tallyText({ entries, first }: Tally): string {
  return first === undefined ? `${entries}` : `${entries}, the first: ${escapePath(first) || '.'}`;
}

function tallyFields({ entries, first }: Tally): Record<string, unknown> {
  return first === undefined
    ? { entries }
    : { entries, first_path: escapePath(first) || '.', first_path_hex: Buffer.from(first).toString('hex') };
}

type Tally = NonNullable<DryRun['unstorable']>['acls'];

function seconds(run: DryRun, mbps: number): number {
  return Math.ceil(Math.max((run.bytesOnWire * 8) / (mbps * 1_000_000), run.puts / USUAL_PUTS));
}
