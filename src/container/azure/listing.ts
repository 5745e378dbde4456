import { ClfsError } from '../../error.js';
import type { BlobInfo } from '../container.js';

/** One page of a listing. */
export interface ListingPage {
  readonly blobs: readonly BlobInfo[];
  /** Where the next page begins; empty on the last page. */
  readonly marker: string;
}

/** Elements in elements: a listing of the service has six levels. */
const DEEPEST = 20;
const LESS = 0x3c;
const GREATER = 0x3e;
const SLASH = 0x2f;
const QUOTE = 0x22;

/**
 * Takes the names and lengths out of a page of a listing.
 *
 * Every tag is looked at: what is cut off, not well-formed, or not as the service writes it is an error, so that no
 * blob is ever passed over. Elements that are not known are skipped where they cannot be blobs.
 *
 * @throws ClfsError `service`
 * Source: Azure Blob Storage REST API, List Blobs
 */
export function decodeListing(xml: Buffer): ListingPage {
  return new Scan(xml).page();
}

class Scan {
  readonly #xml: Buffer;
  #at = 0;
  /** The inside of the tag that was taken last. */
  #begin = 0;
  #end = 0;

  constructor(xml: Buffer) {
    this.#xml = xml;
  }

  page(): ListingPage {
    this.#root();
    const blobs: BlobInfo[] = [];
    let marker: string | undefined;
    let hasBlobs = false;
    if (!this.#isEmpty()) {
      for (this.#next(); !this.#is('/EnumerationResults'); this.#next()) {
        if (this.#isNamed('NextMarker')) {
          if (marker !== undefined) throw this.#unexpected('it has two markers');
          marker = this.#opens('NextMarker') ? this.#content('/NextMarker') : '';
        } else if (this.#isNamed('Blobs')) {
          if (hasBlobs) throw this.#unexpected('it has two lists of blobs');
          hasBlobs = true;
          if (this.#opens('Blobs')) for (this.#next(); !this.#is('/Blobs'); this.#next()) blobs.push(this.#blob());
        } else this.#skip(0);
      }
    }
    if (!hasBlobs) throw this.#unexpected('it has no list of blobs');
    this.#skipSpace();
    if (this.#at !== this.#xml.length) throw this.#unexpected('something follows its end');
    return { blobs, marker: marker ?? '' };
  }

  #root(): void {
    const head = this.#xml.toString('latin1', 0, 1024);
    this.#at = /^(?:\xef\xbb\xbf)?(?:<\?xml [^<>]*\?>)?\s*/.exec(head)?.[0].length ?? 0;
    if (!/^<EnumerationResults[\s/>]/.test(head.slice(this.#at))) {
      throw new ClfsError(
        'service',
        'The service sent something else than a listing. Is the URL that of a container of Azure Blob Storage?',
      );
    }
    this.#tag();
  }

  #blob(): BlobInfo {
    if (!this.#is('Blob')) throw this.#unexpected('there is something else among its blobs');
    let name: string | undefined;
    let sizeBytes: number | undefined;
    for (this.#next(); !this.#is('/Blob'); this.#next()) {
      if (this.#is('Properties')) {
        for (this.#next(); !this.#is('/Properties'); this.#next()) {
          if (!this.#is('Content-Length')) this.#skip(0);
          else if (sizeBytes === undefined) sizeBytes = this.#length();
          else throw this.#unexpected('a blob has two lengths');
        }
      } else if (this.#isNamed('Name')) {
        if (name !== undefined) throw this.#unexpected('a blob has two names');
        name = this.#name();
      } else this.#skip(0);
    }
    if (name === undefined || name === '') throw this.#unexpected('a blob has no name');
    if (sizeBytes === undefined) throw this.#unexpected('a blob has no length');
    return { name, sizeBytes };
  }

  /** The service writes a name that XML cannot hold with percent signs. */
  #name(): string {
    const isEncoded = this.#is('Name Encoded="true"');
    if (!isEncoded && !this.#is('Name') && !this.#is('Name Encoded="false"'))
      throw this.#unexpected('a name is written in an unknown way');
    const name = this.#content('/Name');
    if (!isEncoded) return name;
    try {
      return decodeURIComponent(name);
    } catch {
      throw this.#unexpected('a name has percent signs that mean nothing');
    }
  }

  #length(): number {
    const digits = this.#content('/Content-Length');
    if (!/^\d{1,15}$/.test(digits)) throw this.#unexpected('a length is no number');
    return Number(digits);
  }

  /** Takes the next tag, which only white space may stand before. */
  #next(): void {
    if (this.#xml[this.#at] !== LESS) {
      this.#skipSpace();
      if (this.#at >= this.#xml.length) throw this.#unexpected('it is cut off');
      if (this.#xml[this.#at] !== LESS) throw this.#unexpected('there is text where a tag is due');
    }
    this.#tag();
  }

  /** Takes the tag that begins here. */
  #tag(): void {
    const xml = this.#xml;
    let at = this.#at + 1;
    this.#begin = at;
    const first = xml[at] | 0x20;
    if (xml[at] !== SLASH && !(first >= 0x61 && first <= 0x7a))
      throw this.#unexpected('it has a tag of an unknown kind');
    for (let quoted = false; xml[at] !== GREATER || quoted; at++) {
      if (at >= xml.length) throw this.#unexpected('it is cut off');
      if (xml[at] === QUOTE) quoted = !quoted;
    }
    this.#end = at;
    this.#at = at + 1;
  }

  #is(inside: string): boolean {
    return this.#end - this.#begin === inside.length && this.#beginsWith(inside);
  }

  #beginsWith(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.#xml[this.#begin + i] !== text.charCodeAt(i)) return false;
    return true;
  }

  #isNamed(name: string): boolean {
    return this.#beginsWith(name) && this.#nameLength() === name.length;
  }

  /** Whether something follows in the element; its tag must have no attributes. */
  #opens(name: string): boolean {
    if (this.#is(name)) return true;
    if (this.#is(`${name}/`) || this.#is(`${name} /`)) return false;
    throw this.#unexpected(`it has ${name} in an unknown form`);
  }

  /** Whether the tag is an element by itself. */
  #isEmpty(): boolean {
    return this.#xml[this.#end - 1] === SLASH;
  }

  #toLess(): void {
    const xml = this.#xml;
    let at = this.#at;
    while (at < xml.length && xml[at] !== LESS) at++;
    if (at === xml.length) throw this.#unexpected('it is cut off');
    this.#at = at;
  }

  /** The text up to the end of the element that has just begun. */
  #content(closing: string): string {
    const begin = this.#at;
    this.#toLess();
    const end = this.#at;
    this.#tag();
    if (!this.#is(closing)) throw this.#unexpected(`it has something else than text before <${closing}>`);
    const text = this.#xml.toString('latin1', begin, end);
    return PLAIN.test(text) ? text : this.#decode(this.#xml.subarray(begin, end));
  }

  #decode(bytes: Buffer): string {
    let text: string;
    try {
      text = UTF8.decode(bytes);
    } catch {
      throw this.#unexpected('it has text that is not UTF-8');
    }
    return text.replace(/&([^;]{0,12};?)/g, (_, entity: string) => this.#entity(entity));
  }

  #entity(entity: string): string {
    const named = ENTITIES.get(entity);
    if (named !== undefined) return named;
    const [, hex, decimal] = /^#(?:x([0-9A-Fa-f]{1,6})|(\d{1,7}));$/.exec(entity) ?? [];
    const code = hex === undefined ? Number(decimal ?? 0) : Number.parseInt(hex, 16);
    if (code < 1 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
      throw this.#unexpected('it has an unknown entity');
    return String.fromCodePoint(code);
  }

  /** Passes over the element that has just begun. */
  #skip(depth: number): void {
    if (this.#isEmpty()) return;
    const xml = this.#xml;
    const begin = this.#begin;
    const length = this.#nameLength();
    if (length === 0 || depth > DEEPEST) throw this.#unexpected('its tags do not fit together');
    for (;;) {
      this.#toLess();
      this.#tag();
      if (xml[this.#begin] !== SLASH) {
        if (this.#isNamed('Blob')) throw this.#unexpected('it has a blob in an unknown place');
        this.#skip(depth + 1);
        continue;
      }
      let same = this.#end - this.#begin === length + 1;
      for (let i = 0; same && i < length; i++) same = xml[begin + i] === xml[this.#begin + 1 + i];
      if (!same) throw this.#unexpected('its tags do not fit together');
      return;
    }
  }

  /** Length of the name of the tag; 0 when it ends an element. */
  #nameLength(): number {
    let at = this.#begin;
    while (at < this.#end && this.#xml[at] > 0x20 && this.#xml[at] !== SLASH) at++;
    return at - this.#begin;
  }

  #skipSpace(): void {
    while (this.#at < this.#xml.length && SPACE.includes(this.#xml[this.#at])) this.#at++;
  }

  #unexpected(why: string): ClfsError {
    return new ClfsError(
      'service',
      `Cannot read the listing of the container: ${why} (at byte ${this.#at} of ${this.#xml.length}).`,
    );
  }
}

/** ASCII without entities. */
const PLAIN = /^[ -%'-~]*$/;
const SPACE: readonly number[] = [0x20, 0x09, 0x0d, 0x0a];
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ENTITIES = new Map([
  ['amp;', '&'],
  ['lt;', '<'],
  ['gt;', '>'],
  ['quot;', '"'],
  ['apos;', "'"],
]);
