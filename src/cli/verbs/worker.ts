import { availableParallelism } from 'node:os';
import { escapeText, redact, serveWorker } from '../../index.js';
import { parseThreads, UsageError } from '../arguments.js';
import { containerArgument } from '../container-argument.js';
import { fieldsLine } from '../fields-line.js';
import { presentPath, targetPath } from '../local-path.js';
import { Exit, plainCommand, type Verb, wantsJson } from './verb.js';

const EXAMPLES = `  clfsload worker --join=nats://head:4222 --container=@/etc/clfsload/container
  CLFS_URL="https://[account].blob.core.windows.net/[container]?[SAS]" clfsload worker --join=tls://head:4222 --container=env:CLFS_URL --source=/mnt/project
`;

const MOST_THREADS = 16;

/** `worker`: takes part in jobs of other machines. */
export const worker: Verb = {
  name: 'worker',
  summary: 'take part in jobs of other machines',
  command: () =>
    plainCommand(
      'worker',
      'Take part in jobs that were started with --workers, on this machine or others: one after another, until it is told to end. It waits while there is no job. The first SIGTERM or SIGINT has it end when it has done what it has; a second one ends it at once.\n\nIt must see the same source, or for an export the same target, run as the same user with the same groups, and be let into the container by itself. Credentials of the server are taken from CLFSLOAD_NATS_CREDS (a file), CLFSLOAD_NATS_USER and CLFSLOAD_NATS_PASSWORD or CLFSLOAD_NATS_PASSWORD_FILE, or CLFSLOAD_NATS_TOKEN; certificates from the files CLFSLOAD_NATS_CA, CLFSLOAD_NATS_CERT and CLFSLOAD_NATS_KEY.',
      EXAMPLES,
    )
      .option('--join <url>', 'server of the jobs: nats://HOST:4222 or tls://HOST:4222 (required)')
      .option('--source <dir>', 'the source on this machine (default: where the job has it)')
      .option(
        '--target <dir>',
        'the directory that an export writes to, on this machine (default: where the job has it)',
      )
      .option(
        '--container <url>',
        'the container with the SAS of this worker, or its directory on this machine; env:NAME and @FILE take it from the environment or a file, which is read anew whenever the worker begins in a job (default: as the job says)',
      )
      .option('--threads <uint32>', 'number of worker threads (default: one a processor, at most 16)', parseThreads)
      .option(
        '--trusted-microsoft-suffixes <string>',
        'further domains that Entra ID tokens, and what ACCOUNT_KEY signs, may be sent to, semicolon-separated',
        '',
      ),
  async run(command, io) {
    const { join, source, target, container, threads, trustedMicrosoftSuffixes } = command.opts<{
      readonly join?: string;
      readonly source?: string;
      readonly target?: string;
      readonly container?: string;
      readonly threads?: number;
      readonly trustedMicrosoftSuffixes: string;
    }>();
    if (!join) throw new UsageError('please name the server of the jobs by --join=nats://HOST:4222');
    if (threads === 0) throw new UsageError('a worker has at least one thread');
    const json = wantsJson(command);
    // What is no container at all is said before anything begins.
    if (container !== undefined) containerArgument(container);
    io.endsByItself();
    await serveWorker({
      join,
      source: source === undefined ? undefined : await presentPath(source),
      target: target === undefined ? undefined : targetPath(target),
      container: container === undefined ? undefined : () => containerArgument(container),
      threads: threads ?? Math.min(MOST_THREADS, availableParallelism()),
      identity: { trustedSuffixes: trustedMicrosoftSuffixes, onPrompt: io.complain },
      signal: io.signal,
      report: (text) => {
        const told = redact(text);
        const line = json ? fieldsLine({ time: new Date().toISOString(), text: told }) : `${escapeText(told)}\n`;
        // The work goes on when nobody reads, and is not over before its last words.
        io.write(line).catch(() => undefined);
      },
    });
    return Exit.ok;
  },
};
