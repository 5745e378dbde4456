import type { Random } from './random.js';

/** A number of the program that small trees never come near: how much is done by one step, before the next one goes on. */
interface Limit {
  readonly file: string;
  readonly name: string;
  /** What it is at the least, and at the most, where it is small. */
  readonly least: number;
  readonly most: number;
}

/** Small limits of a life, by `file name`; others are as they are. */
export type Limits = Readonly<Record<string, number>>;

/** Where what registers them is kept: modules of the program do so when they are loaded. */
const REGISTRY = 'clfsload limits';

/** The limits that lives of loads make small: each is a `const` of its file. */
const LIMITS: readonly Limit[] = [
  { file: 'src/worker/packed-entries.ts', name: 'CHUNK_ENTRIES', least: 1, most: 4 },
  { file: 'src/worker/list-directory.ts', name: 'PART_ENTRIES', least: 1, most: 6 },
  { file: 'src/worker/list-directory.ts', name: 'NAMES_BYTES', least: 0, most: 300 },
  { file: 'src/worker/list-directory.ts', name: 'TURN_ENTRIES', least: 1, most: 4 },
  { file: 'src/worker/load-files.ts', name: 'TURN_ENTRIES', least: 1, most: 3 },
  { file: 'src/worker/context.ts', name: 'MOST_OPEN_DIRECTORIES', least: 1, most: 4 },
  { file: 'src/worker/context.ts', name: 'READ_AHEAD_BYTES', least: 1, most: 6000 },
  { file: 'src/worker/large-reader.ts', name: 'RANGE_BYTES', least: 300, most: 3000 },
  { file: 'src/worker/write-directory.ts', name: 'SEGMENTS_IN_FLIGHT', least: 1, most: 3 },
  { file: 'src/worker/manifest-lines.ts', name: 'PIECE_BYTES', least: 100, most: 4000 },
  { file: 'src/worker/job-ids.ts', name: 'DRAWN_AT_ONCE', least: 1, most: 4 },
  { file: 'src/format/limits.ts', name: 'MOST_LINKS', least: 2, most: 4 },
  { file: 'src/engine/lane-loads.ts', name: 'LANE_UNITS', least: 4, most: 60 },
  { file: 'src/engine/run-all.ts', name: 'TASKS_A_LANE', least: 1, most: 2 },
  { file: 'src/state/entry-path.ts', name: 'MOST_REMEMBERED', least: 1, most: 3 },
  { file: 'src/load/plan.ts', name: 'BACKLOG_ENTRIES', least: 1, most: 8 },
  { file: 'src/load/plan.ts', name: 'LISTINGS_A_LANE', least: 1, most: 2 },
  { file: 'src/load/plan.ts', name: 'MOST_LARGE', least: 1, most: 3 },
  { file: 'src/load/plan.ts', name: 'CHUNKS_A_CLAIM', least: 1, most: 3 },
  { file: 'src/load/plan.ts', name: 'GROUPS_A_CLAIM', least: 1, most: 3 },
  { file: 'src/load/directory-feeder.ts', name: 'CHUNKS_A_TASK', least: 1, most: 3 },
  { file: 'src/load/directory-feeder.ts', name: 'ROWS_A_TASK', least: 1, most: 3 },
  { file: 'src/load/large-tracker.ts', name: 'SEGMENTS_A_TASK', least: 1, most: 3 },
  { file: 'src/load/large-tracker.ts', name: 'BOUND_STEP', least: 1, most: 3 },
  { file: 'src/load/work/large.ts', name: 'SEGMENTS_UNITS', least: 1, most: 30 },
  { file: 'src/load/work/large.ts', name: 'PAGE', least: 1, most: 3 },
  { file: 'src/load/work/look.ts', name: 'NAMES_A_LOOK', least: 1, most: 3 },
  { file: 'src/load/tries.ts', name: 'PAGE', least: 1, most: 3 },
  { file: 'src/load/clean-up.ts', name: 'LEFTOVERS_AT_ONCE', least: 1, most: 4 },
  { file: 'src/load/clean-up.ts', name: 'LOOKS_IN_FLIGHT', least: 1, most: 3 },
  { file: 'src/load/clean-up.ts', name: 'DELETES_IN_FLIGHT', least: 1, most: 3 },
  { file: 'src/load/presence.ts', name: 'NAMES_A_REQUEST', least: 1, most: 12 },
  { file: 'src/load/check-listing.ts', name: 'PARTS_FROM', least: 1, most: 60 },
  { file: 'src/load/check-listing.ts', name: 'MANY_PARTS_FROM', least: 20, most: 400 },
  { file: 'src/load/give-up.ts', name: 'ENTRIES_AT_ONCE', least: 1, most: 4 },
  { file: 'src/load/give-up.ts', name: 'ROWS_AT_ONCE', least: 1, most: 3 },
  { file: 'src/load/give-up.ts', name: 'CHUNKS_AT_ONCE', least: 1, most: 3 },
  { file: 'src/load/give-up.ts', name: 'LOOKS_IN_FLIGHT', least: 1, most: 3 },
  { file: 'src/load/relink.ts', name: 'GROUPS_AT_ONCE', least: 1, most: 2 },
  { file: 'src/load/restore-entries.ts', name: 'PAGE', least: 1, most: 3 },
  { file: 'src/load/retry-failures.ts', name: 'PAGE', least: 1, most: 3 },
  { file: 'src/load/moved-directories.ts', name: 'PAGE', least: 1, most: 3 },
  { file: 'src/load/reports.ts', name: 'PAGE', least: 1, most: 3 },
  { file: 'src/load/job-context.ts', name: 'CACHED_DIRECTORIES', least: 1, most: 4 },
];

/** Those of exports. */
const EXPORT_LIMITS: readonly Limit[] = [
  { file: 'src/export/tasks/list.ts', name: 'PART_ENTRIES', least: 1, most: 8 },
  { file: 'src/export/tasks/packed-entries.ts', name: 'CHUNK_ENTRIES', least: 1, most: 6 },
  { file: 'src/export/plan.ts', name: 'BACKLOG_ENTRIES', least: 1, most: 8 },
  { file: 'src/export/plan.ts', name: 'LISTINGS_A_LANE', least: 1, most: 2 },
];

/** Draws which limits of a load are small, and how small: most of them. */
export function drawLimits(random: Random): Limits {
  return draw(LIMITS, random);
}

/** The same for those of an export. */
export function drawExportLimits(random: Random): Limits {
  return draw(EXPORT_LIMITS, random);
}

function draw(limits: readonly Limit[], random: Random): Limits {
  const drawn: Record<string, number> = {};
  for (const limit of limits) {
    const value = limit.least + random.below(limit.most - limit.least + 1);
    if (random.chance(75)) drawn[keyOf(limit)] = value;
  }
  return drawn;
}

/** A limit as it is told to whoever makes it small. */
interface Registered {
  readonly real: number;
  set(value: number): void;
}

/** Gives the program small limits, and all others as they are. @throws Error when there is none of a name */
export function setLimits(limits: Limits): void {
  const registry = ((globalThis as Record<string, unknown>)[REGISTRY] ?? new Map()) as Map<string, Registered>;
  for (const { real, set } of registry.values()) set(real);
  for (const [key, value] of Object.entries(limits)) {
    const limit = registry.get(key);
    if (!limit)
      throw new Error(`The program has no limit ${key}: is its module loaded, by the configuration of Vitest?`);
    limit.set(value);
  }
}

/**
 * A module of the program with its limits as variables, which it registers when it is loaded; its lines stay where they
 * are.
 *
 * @param path below the repository
 * @returns undefined for a module that has none
 * @throws Error when a limit is not there once
 */
export function withLimits(path: string, code: string): string | undefined {
  const limits = [...LIMITS, ...EXPORT_LIMITS].filter(({ file }) => file === path);
  if (limits.length === 0) return undefined;
  let text = code;
  for (const limit of limits) {
    const pieces = text.split(new RegExp(`^(?=(?:export )?const ${limit.name} = )`, 'm'));
    if (pieces.length !== 2) throw new Error(`The limit ${keyOf(limit)} is there ${pieces.length - 1} times.`);
    text = pieces[0] + pieces[1].replace('const ', 'let   ');
  }
  const entries = limits.map(
    (limit) =>
      `[${JSON.stringify(keyOf(limit))}, { real: ${limit.name}, set: (value: number) => { ${limit.name} = value; } }]`,
  );
  const registry = `((globalThis as any)[${JSON.stringify(REGISTRY)}] ??= new Map())`;
  return `${text}\nfor (const [key, limit] of [${entries.join(', ')}] as const) ${registry}.set(key, limit);\n`;
}

function keyOf({ file, name }: Limit): string {
  return `${file} ${name}`;
}
