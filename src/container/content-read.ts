/** What of the content of files has been read. */
export interface ContentRead {
  /** Bytes as they are stored, perhaps compressed: of segments of files, and of inodes of regular files. */
  readonly contentStored: number;
  /** Bytes of file data that these held. */
  readonly contentData: number;
  /** Bytes as they are stored that a listing counts, and that need not be read as content. */
  readonly passedStored: number;
  /** Bytes of file data that need not be read, as of a file that differs otherwise. */
  readonly passedData: number;
}

/** The counters of content, each of which only grows. */
export const CONTENT_FIELDS = [
  'contentStored',
  'contentData',
  'passedStored',
  'passedData',
] as const satisfies readonly (keyof ContentRead)[];

/** Takes what is read of content. */
export interface ContentTally {
  add(field: keyof ContentRead, amount: number): void;
}

/** How far the reading of a container has come, in bytes as they are stored. */
export interface StoredShare {
  readonly bytes: number;
  /** Undefined where more was read than there is, as of files that are read by each of their names. */
  readonly bytesTotal: number | undefined;
}

/** What is read twice, as in work that was lost with a worker, may be so much of all. */
const READ_TWICE = 0.01;

/** Bytes as they are stored for a byte of file data, as far as content was read; 1 before that. */
export function storedRatio({
  contentStored,
  contentData,
}: Pick<ContentRead, 'contentStored' | 'contentData'>): number {
  return contentData > 0 ? contentStored / contentData : 1;
}

/**
 * How far the reading of content has come: what need not be read is taken off the total, by what other content took.
 *
 * @param listedBytes of all segments, and all inodes of regular files, as a listing shows them
 */
export function storedShare(read: ContentRead, listedBytes: number): StoredShare {
  const bytes = Math.round(read.contentStored);
  if (bytes > (1 + READ_TWICE) * listedBytes) return { bytes, bytesTotal: undefined };
  const passed = read.passedStored + read.passedData * storedRatio(read);
  return { bytes, bytesTotal: Math.max(bytes, Math.round(listedBytes - passed)) };
}
