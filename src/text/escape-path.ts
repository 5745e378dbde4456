/** A path as text on one line: what is not UTF-8, or is a control character, as `\xNN`. */
export function escapePath(path: Uint8Array): string {
  const bytes = Buffer.from(path.buffer, path.byteOffset, path.byteLength);
  const text = bytes.toString('utf8');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (!/[\u0000-\u001f\u007f\\\ufffd]/.test(text)) return text;
  const valid = Buffer.from(text, 'utf8').equals(bytes);
  if (valid) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    return text.replace(/[\u0000-\u001f\u007f\\]/g, (character) =>
      character === '\\' ? '\\\\' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
    );
  }
  return [...splitUtf8(bytes)].join('');
}

function* splitUtf8(bytes: Buffer): Generator<string> {
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length > 1 || (length === 1 && bytes[at] >= 0x20 && bytes[at] !== 0x7f && bytes[at] !== 0x5c)) yield bytes.toString('utf8', at, at + length);
    else yield bytes[at] === 0x5c ? '\\\\' : `\\x${bytes[at].toString(16).padStart(2, '0')}`;
    at += Math.max(1, length);
  }
}

/** Bytes of the valid UTF-8 sequence at `at`; 0 when there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at];
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || at + length > bytes.length) return 0;
  const piece = bytes.subarray(at, at + length);
  return Buffer.from(piece.toString('utf8'), 'utf8').equals(piece) ? length : 0;
}
