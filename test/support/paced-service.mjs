import { createServer } from 'node:http';

/** Names on a page of a listing. */
const PAGE = 5000;
const TURN_MS = 5;
/** After a pause, such as one between two sessions, no more than this many milliseconds of answers come at once. */
const MOST_OWED_MS = 50;

/**
 * A blob service in memory that acknowledges puts at a constant rate: so many a second, whatever is asked and however
 * many are in flight. All else is answered at once.
 *
 * @param {number} perSecond
 */
export async function startPacedService(perSecond) {
  /** @type {Map<string, Buffer>} */
  const blobs = new Map();
  /** @type {(() => void)[]} */
  const waiting = [];
  let taken = 0;
  /** Puts answered, and how many they were in the beginning of each second. */
  let answered = 0;
  /** @type {{ s: number, answered: number }[]} */
  const history = [];
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://localhost');
      const [, , , encoded] = url.pathname.split('/', 4);
      const name = encoded === undefined ? undefined : decodeURIComponent(encoded);
      const answer = () => respond(blobs, { request, response, url, name, body: Buffer.concat(pieces) });
      if (request.method === 'PUT') waiting.push(answer);
      else answer();
    });
    request.on('error', () => undefined);
  });
  let last = performance.now();
  let owed = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    owed += ((now - last) * perSecond) / 1000;
    last = now;
    for (; owed >= 1 && taken < waiting.length; owed--, answered++) waiting[taken++]();
    if (now / 1000 - (history.at(-1)?.s ?? 0) >= 1) history.push({ s: now / 1000, answered });
    if (taken === waiting.length) {
      owed = Math.min(owed, (MOST_OWED_MS * perSecond) / 1000);
      waiting.length = 0;
      taken = 0;
    }
  }, TURN_MS);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}/account/container?sv=2021-12-02&sp=rwdlc&se=2099-01-01T00:00:00Z&sig=c2ln`,
    get blobs() {
      return blobs.size;
    },
    /** How many had been acknowledged at which second of `performance.now()`. */
    history,
    close() {
      clearInterval(timer);
      server.close();
      server.closeAllConnections();
    },
  };
}

function respond(blobs, { request, response, url, name, body }) {
  // Who was killed meanwhile asked in vain.
  if (response.destroyed) return;
  const send = (status, content = Buffer.alloc(0), headers = {}) => {
    response.writeHead(status, { 'content-length': content.length, ...headers });
    response.end(content);
  };
  const fail = (status, code) =>
    send(status, Buffer.from(`<Error><Code>${code}</Code></Error>`), { 'x-ms-error-code': code });
  if (name === undefined || name === '') {
    if (url.searchParams.get('comp') !== 'list') send(200);
    else send(200, Buffer.from(listing(blobs, url.searchParams)), { 'content-type': 'application/xml' });
    return;
  }
  const known = blobs.get(name);
  if (request.method === 'PUT') {
    if (known && request.headers['if-none-match'] === '*') fail(409, 'BlobAlreadyExists');
    else {
      blobs.set(name, body);
      send(201);
    }
  } else if (!known) fail(404, 'BlobNotFound');
  else if (request.method === 'DELETE') {
    blobs.delete(name);
    send(202);
  } else send(200, request.method === 'HEAD' ? undefined : known);
}

/** Sorted once for all pages of a listing. */
const sorted = { of: 0, names: [] };

function listing(blobs, query) {
  const [prefix, marker] = [query.get('prefix') ?? '', query.get('marker') ?? ''];
  if (sorted.of !== blobs.size)
    Object.assign(sorted, { of: blobs.size, names: [...blobs.keys()].sort((a, b) => (a < b ? -1 : 1)) });
  const { names } = sorted;
  const from = marker > prefix ? marker : prefix;
  let [low, high] = [0, names.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (names[middle] < from) low = middle + 1;
    else high = middle;
  }
  const page = names.slice(low, low + PAGE).filter((name) => name.startsWith(prefix));
  const following = page.length === PAGE ? names[low + PAGE] : undefined;
  const elements = page.map(
    (name) =>
      `<Blob><Name>${name}</Name><Properties><Content-Length>${blobs.get(name).length}</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>`,
  );
  const next = following?.startsWith(prefix) ? following : '';
  return `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>${elements.join('')}</Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`;
}
