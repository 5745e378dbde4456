import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ClfsError, messageOf } from '../error.js';
import type { Authorization } from './azure/authorization.js';
import type { ServiceOptions } from './azure/blob-service.js';
import { addressText, type ContainerAddress, parseContainerUrl, redact } from './azure/container-url.js';
import type { Container } from './container.js';
import { type LocalOptions, openLocalContainer } from './local-container.js';

/** Which container, without its secret; plain data that can be handed to a thread. */
export type ContainerPlace =
  | { readonly kind: 'azure'; readonly address: ContainerAddress }
  | { readonly kind: 'local'; readonly directory: string };

/** A container as a user named it. */
export interface ParsedContainer {
  readonly place: ContainerPlace;
  /** Query of the URL: a SAS, or empty. */
  readonly query: string;
}

/**
 * Understands a container URL, a `file://` URL, or the path of a directory.
 *
 * @throws ClfsError `usage`
 */
export function parseContainer(text: string): ParsedContainer {
  if (/^https?:\/\//i.test(text)) {
    const { address, query } = parseContainerUrl(text);
    return { place: { kind: 'azure', address }, query };
  }
  if (text.trim() === '')
    throw new ClfsError(
      'usage',
      'No container is named: the argument is empty. Name it by a URL or the path of a directory.',
    );
  if (/^(?!file:).*\b(?:AccountKey|SharedAccessSignature)=/is.test(text))
    throw new ClfsError(
      'usage',
      'This is a connection string, not a container: name the container by its URL with a SAS behind it, or by its URL alone with ACCOUNT_NAME and ACCOUNT_KEY in the environment.',
    );
  // A SAS would be part of the directory's name then, and that name is in the state and its report.
  if (/[?&]sig=/i.test(text) || /^(?!file:)[a-z][a-z0-9+.-]+:\/\//i.test(text))
    throw new ClfsError(
      'usage',
      `The URL of a container begins with "https://", not as ${redact(JSON.stringify(text))} does. A directory of such a name is given as file:///PATH.`,
    );
  const directory = /^file:\/\//i.test(text) ? fileUrlPath(text) : text;
  return { place: { kind: 'local', directory: resolve(directory) }, query: '' };
}

function fileUrlPath(text: string): string {
  try {
    return fileURLToPath(text);
  } catch (cause) {
    throw new ClfsError(
      'usage',
      `Cannot open the container ${JSON.stringify(text)}: ${messageOf(cause)}. Name a directory by file:///PATH, or by its path.`,
      {
        cause,
      },
    );
  }
}

/** A container as people know it. */
export function placeText(place: ContainerPlace): string {
  return place.kind === 'azure' ? addressText(place.address) : place.directory;
}

/** How a container is opened, whichever it is. */
export interface OpenOptions extends ServiceOptions, Pick<LocalOptions, 'keepsNames' | 'waits' | 'mayBlock'> {
  readonly lateArrivalMs?: number;
}

/** Opens a container for one thread. @throws ClfsError as its implementation says */
export async function openContainer(
  place: ContainerPlace,
  authorization: Authorization,
  options: OpenOptions,
): Promise<Container> {
  if (place.kind === 'local') return openLocalContainer(place.directory, options);
  // The HTTP client takes most of the start-up time: it is loaded where it is needed.
  const { AzureContainer } = await import('./azure/azure-container.js');
  return new AzureContainer(place.address, authorization, options);
}
