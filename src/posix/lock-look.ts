import { closeSync, fstatSync, openSync, readFileSync, readlinkSync } from 'node:fs';

/** The namespace of process ids that the kernel begins with: from it every process of the machine can be seen. */
const INITIAL_PID_NAMESPACE = 'pid:[4026531836]';

/**
 * Whether a process of this machine holds a lock (flock) on a file, found out without taking it for an instant.
 *
 * Not to be relied on for a network file system: another host's lock is not known here.
 *
 * @returns undefined when that cannot be told: no such file, no /proc, or locks of other containers that are not shown here
 */
export function isLockedHere(file: string): boolean | undefined {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return undefined;
  }
  try {
    const device = deviceOf(fd);
    if (device === undefined) return undefined;
    const wanted = `${device}:${fstatSync(fd, { bigint: true }).ino}`;
    // 1: FLOCK  ADVISORY  WRITE 4711 fd:01:123456 0 EOF
    const locks = readFileSync('/proc/locks', 'latin1').split('\n');
    if (locks.some((line) => / FLOCK /.test(line) && !line.includes('->') && line.split(/\s+/).includes(wanted))) return true;
    return readlinkSync('/proc/self/ns/pid') === INITIAL_PID_NAMESPACE ? false : undefined;
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/**
 * Device of an open file as the kernel's list of locks names it. It is that of the mount: stat tells another one on some file systems (btrfs, overlays).
 */
function deviceOf(fd: number): string | undefined {
  const mount = /^mnt_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
  for (const line of readFileSync('/proc/self/mountinfo', 'latin1').split('\n')) {
    const [id, , device] = line.split(' ');
    if (id !== mount) continue;
    return device
      .split(':')
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join(':');
  }
  return undefined;
}
