import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClfsError } from '../../error.js';
import { decodeListing } from './listing.js';

/** One blob as the service writes it. `name` is written as it stands. */
const blobXml = (name: string, size: number | string, attribute = '') =>
  `<Blob><Name${attribute}>${name}</Name><Properties><Creation-Time>Mon, 23 Nov 2026 00:00:00 GMT</Creation-Time><Etag>0x8D7E</Etag>` +
  `<Content-Length>${size}</Content-Length><Content-Type>application/octet-stream</Content-Type><Content-Encoding /><Content-MD5/>` +
  '<BlobType>BlockBlob</BlobType></Properties><OrMetadata /></Blob>';

const pageXml = (blobs: string, after = '<NextMarker />') =>
  `\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://account/" ContainerName="c">` +
  `<Prefix>a&amp;b</Prefix><MaxResults>5000</MaxResults><Blobs>${blobs}</Blobs>${after}</EnumerationResults>`;

const decode = (xml: string) => decodeListing(Buffer.from(xml));

const escapeXml = (text: string) =>
  text.replace(/[\s\S]/gu, (char) =>
    /[&<>]/.test(char) || char < ' ' || char > '\ufffd' ? `&#x${char.codePointAt(0)?.toString(16)};` : char,
  );

const names = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter((name) => !name.includes('\0'));

describe('a page of a listing', () => {
  it('gives back any names and lengths', () => {
    const blob = fc.record({ name: names, sizeBytes: fc.maxSafeNat().map((n) => n % 1e15), encoded: fc.boolean() });
    fc.assert(
      fc.property(fc.array(blob, { maxLength: 8 }), names, (blobs, marker) => {
        const xml = pageXml(
          blobs
            .map(({ name, sizeBytes, encoded }) =>
              encoded
                ? blobXml(encodeURIComponent(name), sizeBytes, ' Encoded="true"')
                : blobXml(escapeXml(name), sizeBytes),
            )
            .join('\n '),
          `<NextMarker>${escapeXml(marker)}</NextMarker>`,
        );
        expect(decode(xml)).toEqual({ blobs: blobs.map(({ name, sizeBytes }) => ({ name, sizeBytes })), marker });
      }),
    );
  });

  it.each([
    ['a&amp;b&lt;&gt;&quot;&apos;', '', 'a&b<>"\''],
    ['&#x1b;[2J&#155;', '', '\u001b[2J\u009b'],
    ['&#x1F600;é', '', '😀é'],
    ['a%20b', '', 'a%20b'],
    ['a%20b', ' Encoded="false"', 'a%20b'],
    ['a%EF%BF%BE%25', ' Encoded="true"', 'a\ufffe%'],
    ['a > b', '', 'a > b'],
  ])('understands the name %s%s', (written, attribute, name) => {
    expect(decode(pageXml(blobXml(written, 7, attribute)))).toEqual({ blobs: [{ name, sizeBytes: 7 }], marker: '' });
  });

  it.each([
    ['an empty one', pageXml(''), 0],
    ['an empty one in short', '<EnumerationResults ContainerName="c"><Blobs/><NextMarker/></EnumerationResults>', 0],
    [
      'an attribute with a bracket',
      `<EnumerationResults ContainerName="a>b">\r\n<Blobs>\t${blobXml('x', 1)}</Blobs></EnumerationResults>\n`,
      1,
    ],
    [
      'unknown elements',
      pageXml(
        blobXml('x', 1).replace('<OrMetadata />', '<Tags><Tag><Key>Name</Key></Tag></Tags><NameHash>z</NameHash>'),
        '<Later><A>1</A><B /></Later>',
      ),
      1,
    ],
  ])('understands %s', (_, xml, count) => {
    expect(decode(xml)).toMatchObject({ blobs: { length: count }, marker: '' });
  });

  it('is an error when it is cut anywhere', () => {
    const xml = Buffer.from(pageXml(blobXml('é&amp;', 1) + blobXml('b', 2), '<NextMarker>next</NextMarker>'));
    expect(decodeListing(xml).blobs).toHaveLength(2);
    for (let length = 0; length < xml.length; length++) {
      expect(() => decodeListing(xml.subarray(0, length)), `${length}`).toThrow(
        expect.objectContaining({ code: 'service' }),
      );
    }
  });

  it('with any byte changed is an error of the service or as many blobs', () => {
    const xml = Buffer.from(pageXml(blobXml('first', 1) + blobXml('second', 2), '<NextMarker>next</NextMarker>'));
    fc.assert(
      fc.property(fc.nat(xml.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(xml);
        changed[at] = byte;
        try {
          expect(decodeListing(changed).blobs).toHaveLength(2);
        } catch (error) {
          if (!(error instanceof ClfsError)) throw error;
          expect(error.code).toBe('service');
        }
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['a part of a path', '<BlobPrefix><Name>a/</Name></BlobPrefix>', /something else among its blobs/],
    ['an unknown element among blobs', `<Blub>${blobXml('x', 1)}</Blub>`, /something else among its blobs/],
    ['a blob with attributes', '<Blob Kind="1"></Blob>', /something else among its blobs/],
    ['CDATA', blobXml('<![CDATA[x]]>', 1), /tag of an unknown kind/],
    ['a comment', '<!-- <Blob> -->', /tag of an unknown kind/],
    ['text', 'blobs', /text where a tag is due/],
    ['no name', '<Blob><Properties><Content-Length>1</Content-Length></Properties></Blob>', /has no name/],
    ['an empty name', blobXml('', 1), /has no name/],
    ['two names', blobXml('x</Name><Name>y', 1), /two names/],
    ['an element in a name', blobXml('<b>x</b>', 1), /something else than text/],
    ['an unknown attribute of a name', blobXml('x', 1, ' Encoding="base64"'), /unknown way/],
    ['a wrong percent sign', blobXml('a%zz', 1, ' Encoded="true"'), /percent signs/],
    ['an unknown entity', blobXml('&eacute;', 1), /unknown entity/],
    ['a surrogate', blobXml('&#xD800;', 1), /unknown entity/],
    ['a lone ampersand', blobXml('a&b', 1), /unknown entity/],
    ['no length', '<Blob><Name>x</Name><Properties></Properties></Blob>', /has no length/],
    ['no properties', '<Blob><Name>x</Name></Blob>', /has no length/],
    ['a length that is no number', blobXml('x', '-1'), /no number/],
    ['two lengths', blobXml('x', '1</Content-Length><Content-Length>2'), /two lengths/],
    ['tags that do not fit', blobXml('x', 1).replace('</Etag>', '</Etaq>'), /do not fit/],
    [
      'a blob in an unknown element',
      blobXml('x', 1).replace('<OrMetadata />', `<Versions>${blobXml('y', 2)}</Versions>`),
      /unknown place/,
    ],
    ['elements in elements without end', `<Blob>${'<a>'.repeat(100_000)}`, /do not fit/],
  ])('is refused with %s', (_, blobs, message) => {
    expect(() => decode(pageXml(blobs))).toThrow(message);
  });

  it.each([
    ['no list', '<EnumerationResults></EnumerationResults>', /no list of blobs/],
    ['an empty root', '<EnumerationResults />', /no list of blobs/],
    ['two lists', pageXml('', '<Blobs></Blobs>'), /two lists/],
    ['a list with attributes', '<EnumerationResults><Blobs x="1"></Blobs></EnumerationResults>', /unknown form/],
    ['two markers', pageXml('', '<NextMarker>a</NextMarker><NextMarker />'), /two markers/],
    ['a marker with attributes', pageXml('', '<NextMarker x="1">a</NextMarker>'), /unknown form/],
    ['more behind its end', `${pageXml('')}<x/>`, /follows its end/],
    ['another document', '<Error><Code>x</Code></Error>', /something else than a listing/],
    ['HTML', '<!DOCTYPE html><html></html>', /something else than a listing/],
    ['nothing', '', /something else than a listing/],
    ['UTF-16', '<\0?\0', /something else than a listing/],
  ])('is refused with %s', (_, xml, message) => {
    expect(() => decode(xml)).toThrow(message);
    expect(() => decode(xml)).toThrow(expect.objectContaining({ code: 'service' }));
  });

  it('is refused when a name is not UTF-8', () => {
    const xml = Buffer.from(pageXml(blobXml('xx', 1)));
    xml[xml.indexOf('>xx<') + 1] = 0xff;
    expect(() => decodeListing(xml)).toThrow(/not UTF-8/);
  });
});
