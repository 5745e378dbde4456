/**
 * A lone surrogate that stands for a byte: U+DC00 and the byte's value. With the flag `u` the second half of a pair is
 * not one.
 */
const STANDS_FOR_BYTE = /[\udc80-\udcff]/u;
const BYTES_IN_TEXT = /[\udc80-\udcff]|[^\udc80-\udcff]+/gu;
const FIRST_SURROGATE = 0xdc00;

/**
 * Bytes as text that loses none: as UTF-8, and each byte that is not part of it (0x80 to 0xff) as the lone surrogate
 * U+DC80 to U+DCFF, as Python's "surrogateescape" has it. {@link encodeExactly} is the inverse.
 *
 * So names of any bytes go through what takes text only: command lines, patterns, JSON. It is no form for people: that
 * is `escapePath`.
 */
export function decodeExactly(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8');
  if (!text.includes('\ufffd') || Buffer.from(text, 'utf8').equals(buffer)) return text;
  const parts: string[] = [];
  for (let at = 0; at < buffer.length; ) {
    const length = sequenceLength(buffer, at);
    parts.push(
      length === 0 ? String.fromCharCode(FIRST_SURROGATE + buffer[at]) : buffer.toString('utf8', at, at + length),
    );
    at += Math.max(1, length);
  }
  return parts.join('');
}

/** The bytes of a text: as UTF-8, and the byte that a lone surrogate U+DC80 to U+DCFF stands for. */
export function encodeExactly(text: string): Buffer {
  if (isUtf8(text)) return Buffer.from(text, 'utf8');
  const parts = text.match(BYTES_IN_TEXT) ?? [];
  return Buffer.concat(
    parts.map((part) =>
      isUtf8(part) ? Buffer.from(part, 'utf8') : Buffer.from([part.charCodeAt(0) - FIRST_SURROGATE]),
    ),
  );
}

/** Whether the bytes of a text of {@link decodeExactly} are UTF-8. */
export function isUtf8(text: string): boolean {
  return !STANDS_FOR_BYTE.test(text);
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
