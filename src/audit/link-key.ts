/** What tells which names of a source are links of one file. */
export interface LinkKey {
  readonly device: string;
  readonly inode: bigint;
}

/** As text. */
export function linkKey({ device, inode }: LinkKey): string {
  return `${device}/${inode}`;
}

/** What {@link linkKey} has made; undefined: something else. */
export function parseLinkKey(text: string): LinkKey | undefined {
  const match = /^(.+)\/(\d+)$/.exec(text);
  return match ? { device: match[1], inode: BigInt(match[2]) } : undefined;
}
