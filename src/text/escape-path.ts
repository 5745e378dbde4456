/**
 * Characters that a terminal obeys, or that change how what stands beside them is read: C0, DEL and C1, the separators of lines and paragraphs,
 * and what turns the direction of writing.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const PLAIN = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\\\ufffd]*$/;

/**
 * A name or path as text on one line, from which its bytes can be told: what is not UTF-8 or cannot be printed stands as `\xNN`, byte by byte,
 * and a backslash as two.
 *
 * Everything that comes from a container or a source goes through this, or as part of a message through {@link escapeText}, before a person sees it.
 */
export function escapePath(path: Uint8Array): string {
  const bytes = Buffer.from(path.buffer, path.byteOffset, path.byteLength);
  const text = bytes.toString('utf8');
  if (PLAIN.test(text)) return text;
  if (Buffer.from(text, 'utf8').equals(bytes)) return escapeCharacters(text.replaceAll('\\', '\\\\'));
  return [...splitUtf8(bytes)].join('');
}

/** {@link escapePath} of what was text already: a blob's name, a value of the bucket object. */
export function escapeName(name: string): string {
  return escapePath(Buffer.from(name));
}

/** A message as text: what cannot be printed stands as `\xNN`. Line ends stay; so do backslashes, so that parts may have been escaped before. */
export function escapeText(text: string): string {
  return text.replace(UNPRINTABLE, (character) => (character === '\n' ? character : escapeCharacters(character)));
}

/** JSON that says the same as `json`, a text of JSON on one line, without characters that a terminal obeys. */
export function escapeJson(json: string): string {
  return json.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A value as a line of JSON, by {@link escapeJson}. */
export function jsonLine(value: unknown): string {
  return `${escapeJson(JSON.stringify(value))}\n`;
}

function escapeCharacters(text: string): string {
  return text.replace(UNPRINTABLE, (character) => [...Buffer.from(character)].map(byteText).join(''));
}

function byteText(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

function* splitUtf8(bytes: Buffer): Generator<string> {
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length === 0) yield byteText(bytes[at]);
    else if (bytes[at] === 0x5c) yield '\\\\';
    else yield escapeCharacters(bytes.toString('utf8', at, at + length));
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
