/** The most back pointers of one inode; each further link becomes a copy. Source: clfs-format.md 6.6 */
export const MOST_LINKS = 1023;

/** Symlink targets longer than this are beyond what the cache can use. Source: clfs-format.md 6.6 */
export const LONGEST_TARGET_BYTES = 1023;
