import { decodeExactly, encodeExactly } from './exact-text.js';

/**
 * Characters that a terminal obeys, or that change how what stands beside them is read: C0, DEL and C1, the separators
 * of lines and paragraphs, and what turns the direction of writing. And the lone surrogates that stand for bytes which
 * are not UTF-8.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\udc80-\udcff]/gu;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const PLAIN = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\\\ufffd]*$/;

/**
 * A name or path as text on one line, from which its bytes can be told: what is not UTF-8 or cannot be printed stands
 * as `\xNN`, byte by byte, and a backslash as two.
 *
 * Everything that comes from a container or a source goes through this, or as part of a message through {@link
 * escapeText}, before a person sees it.
 */
export function escapePath(path: Uint8Array): string {
  const bytes = Buffer.from(path.buffer, path.byteOffset, path.byteLength);
  const text = bytes.toString('utf8');
  return PLAIN.test(text) ? text : escapeCharacters(decodeExactly(bytes).replaceAll('\\', '\\\\'));
}

/** {@link escapePath} in double quotes, for messages. */
export function quotePath(path: Uint8Array): string {
  return `"${escapePath(path)}"`;
}

/** {@link escapePath} of what was text already: a blob's name, a value of the bucket object. */
export function escapeName(name: string): string {
  return escapePath(Buffer.from(name));
}

/**
 * A message as text: what cannot be printed stands as `\xNN`. Line ends stay; so do backslashes, so that parts may have
 * been escaped before.
 */
export function escapeText(text: string): string {
  return text.replace(UNPRINTABLE, (character) => (character === '\n' ? character : escapeCharacters(character)));
}

/** {@link escapeText} on one line: a line end stands as a space. */
export function escapeLine(text: string): string {
  return escapeText(text.replaceAll('\n', ' '));
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
  return text.replace(UNPRINTABLE, (character) => [...encodeExactly(character)].map(byteText).join(''));
}

function byteText(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}
