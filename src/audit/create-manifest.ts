import { type Asker, askHere } from '../engine/asker.js';
import { errorOf } from '../engine/breakage.js';
import { LANE_UNITS } from '../engine/lane-loads.js';
import type { ClfsError } from '../error.js';
import { ObjectType } from '../format/ids.js';
import { type ManifestEntry, toManifestEntry } from '../manifest/manifest-entry.js';
import type { ContainerReader, FoundInode } from '../namespace/reader.js';
import { type WalkedEntry, walk } from '../namespace/walk.js';
import { quotePath } from '../text/escape-path.js';
import { type AuditContext, createAuditContext } from './tasks/context.js';
import { AUDIT_EXECUTORS } from './tasks/executors.js';
import { hashContent } from './tasks/hash.js';
import type { AuditKinds } from './tasks/kinds.js';

/** A line of a manifest, or an entry that could not be read. */
export type ManifestItem =
  | { readonly entry: ManifestEntry; readonly path?: undefined; readonly error?: undefined }
  | { readonly path: Buffer; readonly error: ClfsError; readonly entry?: undefined };

/** How a manifest is made. */
export interface ManifestOptions {
  /** Read the content of every regular file for its SHA-256. */
  readonly hash: boolean;
  /** Lanes that read it; by default the calling thread alone. */
  readonly crew?: Asker<AuditKinds>;
}

/** How much of a lane a file takes: so much for each of so many bytes. */
const BYTES_A_UNIT = 524288;
const LEAST_UNITS = 4;

/** Goes over a container's tree and says what is in it, in the order of `walk`. */
export async function* createManifest(
  reader: ContainerReader,
  { hash, crew }: ManifestOptions,
): AsyncGenerator<ManifestItem> {
  const context = createAuditContext({ geometry: reader.geometry, compare: undefined }, reader, undefined);
  const asker = crew ?? askHere(AUDIT_EXECUTORS, context);
  // In their order; those behind the first may be done before it.
  const ahead: { readonly units: number; readonly item: Promise<ManifestItem> }[] = [];
  // Lanes elsewhere come and go.
  const limit = () => 2 * asker.lanes * LANE_UNITS;
  let units = 0;
  const first = () => {
    const next = ahead.shift();
    units -= next?.units ?? 0;
    return next?.item;
  };
  for await (const walked of walk(reader)) {
    const own = hash && walked.found ? unitsOf(walked.found) : 1;
    const item = describe(walked, hash, { context, asker }, own);
    item.catch(() => undefined);
    ahead.push({ units: own, item });
    units += own;
    for (let next = units > limit() ? first() : undefined; next; next = units > limit() ? first() : undefined)
      yield await next;
  }
  for (let next = first(); next; next = first()) yield await next;
}

async function describe(
  { path, found, error }: WalkedEntry,
  hash: boolean,
  { context, asker }: { readonly context: AuditContext; readonly asker: Asker<AuditKinds> },
  units: number,
): Promise<ManifestItem> {
  if (!found) return { path, error: error as ClfsError };
  const { attributes, data } = found.inode;
  let sha256: string | undefined;
  if (attributes.type === ObjectType.regular && hash) {
    const { firstSegmentBytes } = context.reader.geometry;
    const result =
      attributes.lengthBytes <= BigInt(firstSegmentBytes)
        ? await hashContent(found, context)
        : await asker.ask('hash', { handle: found.id }, units, { subject: () => quotePath(path) });
    if (result.damage) return { path, error: errorOf(result.damage) };
    sha256 = result.sha256;
  }
  const target = attributes.type === ObjectType.symlink ? (data ?? new Uint8Array(0)) : undefined;
  return { entry: toManifestEntry(path, attributes, { handle: found.id, target, sha256 }) };
}

function unitsOf(found: FoundInode): number {
  if (found.inode.attributes.type !== ObjectType.regular) return 1;
  return Math.max(
    LEAST_UNITS,
    Math.min(LANE_UNITS / 2, Math.ceil(Number(found.inode.attributes.lengthBytes) / BYTES_A_UNIT)),
  );
}
