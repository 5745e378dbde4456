import { Option } from 'commander';
import { type OpenPage, openPage, type PageOptions } from '../index.js';

/** `--page`. */
export function pageOption(): Option {
  return new Option(
    '--page [host:port]',
    'serve a page that shows how it goes, to be opened in a browser; the address is told (default place: 127.0.0.1 and a free port)',
  );
}

/**
 * Opens a page when it is wanted, and tells where it is.
 *
 * @param listen of `--page`; undefined: none is wanted
 * @param say gets whole sentences for the user, and for no log
 */
export async function jobPage(
  listen: string | undefined,
  options: Pick<PageOptions, 'statePath' | 'command'>,
  say: (text: string) => void,
): Promise<OpenPage | undefined> {
  if (listen === undefined) return undefined;
  const page = await servedPage(listen, options);
  for (const text of pageTexts(page)) say(text);
  void page.lost.then((reason) => say(`WARNING: The page is served no more: ${reason}. The work goes on without it.`));
  return page;
}

/** Opens a page, by the token of the environment where there is one. */
export function servedPage(listen: string, options: Pick<PageOptions, 'statePath' | 'command'>): Promise<OpenPage> {
  return openPage({ ...options, listen, token: process.env.CLFSLOAD_PAGE_TOKEN || undefined });
}

/** Where a page is, and what the user should know of that. */
export function pageTexts({ url, warning }: OpenPage): readonly string[] {
  const chosen = process.env.CLFSLOAD_PAGE_TOKEN ? ' (TOKEN is that of CLFSLOAD_PAGE_TOKEN)' : '';
  return [`The page of this job: ${url}${chosen}`, ...(warning === undefined ? [] : [`WARNING: ${warning}`])];
}
