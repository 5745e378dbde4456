import {
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  SASProtocol,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signWithKey } from './shared-key.js';

const HOUR_MS = 3_600_000;

describe('a SAS made from an account key', () => {
  it("is the one that Microsoft's library makes", () => {
    const name = fc.stringMatching(/^[a-z0-9]{3,24}$/);
    fc.assert(
      fc.property(
        name,
        name,
        fc.uint8Array({ minLength: 1, maxLength: 64 }),
        fc.boolean(),
        (account, container, secret, tls) => {
          const key = Buffer.from(secret).toString('base64');
          const nowMs = Date.UTC(2026, 0, 31, 12, 34, 56, 789);
          const origin = `${tls ? 'https' : 'http'}://${account}.blob.core.windows.net`;
          const address = { origin, path: `/${container}`, account, container };
          const { query, expiresMs } = signWithKey(address, { ACCOUNT_NAME: account, ACCOUNT_KEY: key }, nowMs);
          const theirs = generateBlobSASQueryParameters(
            {
              containerName: container,
              permissions: ContainerSASPermissions.parse('racwdl'),
              startsOn: new Date(nowMs - HOUR_MS / 4),
              expiresOn: new Date(expiresMs),
              protocol: tls ? SASProtocol.Https : SASProtocol.HttpsAndHttp,
              version: '2021-12-02',
            },
            new StorageSharedKeyCredential(account, key),
          );
          const fields = (text: string) => Object.fromEntries(new URLSearchParams(text));
          expect(fields(query)).toEqual(fields(theirs.toString()));
          expect(expiresMs - nowMs).toBe(24 * HOUR_MS);
        },
      ),
    );
  });
});
