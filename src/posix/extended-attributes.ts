import { existsSync } from 'node:fs';
import { fileSystemType } from './file-system-type.js';
import { koffi } from './koffi.js';
import { callInPool } from './pool-calls.js';
import { PosixError } from './posix-error.js';

/**
 * Calls for extended attributes, relative to a directory's descriptor by way of /proc: the calls with `at` are younger
 * than many kernels.
 */
const c = koffi.load(null as unknown as string);

const llistxattr = c.func('int64_t llistxattr(const void *, void *, size_t)');
const lgetxattr = c.func('int64_t lgetxattr(const void *, const void *, void *, size_t)');

/** The kernel gives no longer list, and no longer value, than this. */
const MOST_BYTES = 65536;
/** Almost every list is shorter: one that is not is asked for again. */
const FEW_BYTES = 1024;
const LUSTRE_MAGIC = 0x0bd00bd0;
const DESCRIPTORS = '/proc/self/fd';

const listBuffer = Buffer.from(new ArrayBuffer(MOST_BYTES));
const valueBuffer = Buffer.from(new ArrayBuffer(MOST_BYTES));

/** Whether extended attributes can be asked for at all: /proc must be there. */
export function canListAttributes(): boolean {
  return existsSync(DESCRIPTORS);
}

/**
 * Names of the extended attributes of `name` in the directory `at`; of a symlink itself.
 *
 * @returns each byte of a name as a character; none where the file system does not tell; undefined: it has no such
 *   attributes
 */
export function listAttributes(at: number, name: Uint8Array): readonly string[] | undefined {
  const length = Number(llistxattr(pathBelow(at, name), listBuffer, MOST_BYTES));
  if (length < 0 && lacksAttributes(new PosixError('llistxattr', koffi.errno()))) return undefined;
  return namesIn(listBuffer, length);
}

/** Value of an extended attribute; undefined when it cannot be had. */
export function readAttribute(at: number, name: Uint8Array, attribute: string): Buffer | undefined {
  const length = Number(
    lgetxattr(pathBelow(at, name), Buffer.from(`${attribute}\0`, 'latin1'), valueBuffer, MOST_BYTES),
  );
  return length < 0 ? undefined : Buffer.from(valueBuffer.subarray(0, length));
}

/** {@link listAttributes} in the pool. Never rejects. */
export async function listAttributesInPool(at: number, name: Uint8Array): Promise<readonly string[] | undefined> {
  for (let bytes = FEW_BYTES; ; bytes = MOST_BYTES) {
    const list = Buffer.allocUnsafeSlow(bytes);
    try {
      return namesIn(
        list,
        await callInPool(
          llistxattr,
          [pathBelow(at, name), list, bytes],
          (errno) => new PosixError('llistxattr', errno),
        ),
      );
    } catch (error) {
      if (lacksAttributes(error)) return undefined;
      if (!(error instanceof PosixError && error.errno === 'ERANGE') || bytes === MOST_BYTES) return [];
    }
  }
}

function lacksAttributes(error: unknown): boolean {
  return error instanceof PosixError && error.errno === 'EOPNOTSUPP';
}

function namesIn(list: Buffer, length: number): readonly string[] {
  return length <= 0 ? [] : list.toString('latin1', 0, length - 1).split('\0');
}

/** {@link readAttribute} in the pool. Never rejects. */
export function readAttributeInPool(at: number, name: Uint8Array, attribute: string): Promise<Buffer | undefined> {
  const value = Buffer.from(new ArrayBuffer(MOST_BYTES));
  const args = [pathBelow(at, name), Buffer.from(`${attribute}\0`, 'latin1'), value, MOST_BYTES];
  return callInPool(lgetxattr, args, undefined).then(
    (length) => (length < 0 ? undefined : value.subarray(0, length)),
    () => undefined,
  );
}

/** Whether the open file is on a Lustre file system. */
export function isOnLustre(fd: number): boolean {
  return fileSystemType(fd) === LUSTRE_MAGIC;
}

function pathBelow(at: number, name: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${DESCRIPTORS}/${at}/`), name, NUL]);
}

const NUL = Buffer.from([0]);
