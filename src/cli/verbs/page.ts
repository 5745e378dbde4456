import { ClfsError, escapeText, exportStateOf, exportStatus, jobStatus, writeReport } from '../../index.js';
import { UsageError } from '../arguments.js';
import { fieldsLine } from '../fields-line.js';
import { pageTexts, servedPage } from '../job-page.js';
import { textPath } from '../local-path.js';
import { Exit, plainCommand, stallWarningOption, type Verb, wantsJson } from './verb.js';

/** `page`: a job, in a browser, without disturbing it. */
export const page: Verb = {
  name: 'page',
  summary: 'serve the page of a job, which runs or has ended',
  command: () =>
    plainCommand(
      'page',
      'Serve the page of the job at a state path, a load or an export that runs or has ended, until this is stopped; or write it to a file. The job is only looked at.',
      '  clfsload page /path/to/state\n  clfsload page /path/to/state 0.0.0.0:8080\n  clfsload page /path/to/state --report=job.html\n',
    )
      .argument('<state>', 'state directory of the job')
      .argument('[host:port]', 'where it is served (default: 127.0.0.1 and a free port)')
      .option('--report <file>', 'write the page with all that it shows to a file, and serve nothing')
      .addOption(stallWarningOption()),
  async run(command, io) {
    const [state, listen = ''] = command.args;
    const { report } = command.opts<{ report?: string }>();
    if (state === '') throw new UsageError('please name the state directory of the job');
    const given = textPath(state, 'the state directory');
    const ofExport = await exportStateOf(given);
    const statePath = ofExport ?? given;
    if (report !== undefined) {
      const path = await writeReport(statePath, textPath(report, 'the report'));
      await io.write(wantsJson(command) ? fieldsLine({ report: path }) : `Written: ${escapeText(path)}\n`);
      return Exit.ok;
    }
    // What is not there is told at once.
    if (ofExport === undefined) jobStatus(given);
    else exportStatus(ofExport);
    const served = await servedPage(listen, { statePath });
    const { url, address } = served;
    await io.write(
      wantsJson(command) ? fieldsLine({ url, address }) : `${pageTexts(served).map(escapeText).join('\n')}\n`,
    );
    const reason = await Promise.race([stopped(io.signal), served.lost]);
    await served.close();
    if (reason !== undefined) throw new ClfsError('worker', `The page is served no more: ${reason}. Start it again.`);
    return Exit.ok;
  },
};

function stopped(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined));
    // A signal to come keeps no process alive.
    const timer = setInterval(() => undefined, 3_600_000);
    signal.addEventListener('abort', () => clearInterval(timer));
  });
}
