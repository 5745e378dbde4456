import { BLOCK_ID_BYTES, HANDLE_BYTES } from '../format/ids.js';

/*
 * Ids of what only the salvaged tree has. They are of other lengths than the 16 and 24 bytes of a container's ids, so
 * that none of these can be taken for one, whatever a container holds.
 */

const GROUP = 0x44;
const VERSION = 0x56;

/** The directory `lost+found`. */
export const LOST_AND_FOUND_ID: Uint8Array = Buffer.from('L');

/** The directory of what says that it belongs to a directory, which does not list it. @param directory id of a container */
export function groupId(directory: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([GROUP]), directory]);
}

/** A blob that another version of its id supersedes. @param blob its name */
export function versionId(blob: string): Buffer {
  return Buffer.from(`${String.fromCharCode(VERSION)}${blob}`, 'latin1');
}

/** Name of the blob that a {@link versionId} stands for; undefined for all other ids. */
export function versionBlob(id: Uint8Array): string | undefined {
  if (isOfContainer(id) || id[0] !== VERSION) return undefined;
  return Buffer.from(id.subarray(1)).toString('latin1');
}

/** Whether an id has the length of those that are in containers. */
export function isOfContainer(id: Uint8Array): boolean {
  return id.length === HANDLE_BYTES || id.length === BLOCK_ID_BYTES;
}
