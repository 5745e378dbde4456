/** The longest name of a directory's entry, in bytes; the shortest has one. Source: docs/format.md 6.4 */
export const LONGEST_NAME_BYTES = 255;

/** The most back pointers of one inode; each further link becomes a copy. Source: docs/format.md 7 */
export const MOST_LINKS = 1023;

/** Symlink targets longer than this are beyond what the cache can use. Source: docs/format.md 7 */
export const LONGEST_TARGET_BYTES = 1023;
