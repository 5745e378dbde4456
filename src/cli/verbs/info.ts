import { escapeName, inspectContainer, WITHOUT_ROOT } from '../../index.js';
import { fieldsLine } from '../fields-line.js';
import { shortBytes } from '../progress/quantities.js';
import { kindCounts } from './entry-text.js';
import { Exit, indexed, type Verb, verbCommand, wantsJson, withReader } from './verb.js';

/** `info`: what a container is. */
export const info: Verb = {
  name: 'info',
  summary: 'tell what a container holds and who wrote it',
  command: () =>
    verbCommand(
      'info',
      'Tell whether a load was finished, who wrote the container as far as can be told, and what objects it has.',
      '  clfsload info /path/to/container\n',
    ).argument('<container>'),
  run: (command, io) =>
    withReader(command, command.args[0], io, async (open) => {
      const { reader, index } = await indexed(open, io);
      const report = await inspectContainer(reader, index);
      if (wantsJson(command)) {
        await io.write(fieldsLine(report));
        return Exit.ok;
      }
      const { lz4, none, encryptedOrUnknown, sampled } = report.compression;
      const lines = [
        `Finished:     ${report.finished ? 'yes' : `no: there is no root directory. ${WITHOUT_ROOT}`}`,
        `Written by:   ${report.writer}`,
        `Bucket UUID:  ${escapeName(report.bucketUuid ?? 'no bucket object')}`,
        `Mass UUID:    ${escapeName(report.massUuid ?? '-')}`,
        `Container id: ${report.containerId ?? '-'}   fsid: ${report.fsid ?? '-'}`,
        `Objects:      ${kindCounts(report.objects) || 'none'}`,
        `Stored:       ${shortBytes(report.storedBytes)} (${report.storedBytes} bytes)`,
        `Versions:     ${
          Object.entries(report.versions)
            .map(([version, count]) => `${version}: ${count}`)
            .join(', ') || 'none'
        }${report.supersededObjects > 0 ? `; ${report.supersededObjects} superseded` : ''}`,
        `Compression:  of ${sampled} looked into, ${lz4} LZ4, ${none} none, ${encryptedOrUnknown} encrypted or unknown`,
        `Other blobs:  ${report.otherBlobs}${report.logFiles.length > 0 ? `; log files ${report.logFiles.map(escapeName).join(', ')}` : ''}`,
      ];
      await io.write(`${lines.join('\n')}\n`);
      return Exit.ok;
    }),
};
