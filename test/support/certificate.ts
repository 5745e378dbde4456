import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from 'selfsigned';

/** A certificate for 127.0.0.1 and localhost, and the files that it is in. */
export interface TestCertificate {
  readonly certificate: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** Whose a certificate is. */
const NAMES = [
  { type: 2, value: 'localhost' },
  { type: 7, ip: '127.0.0.1' },
] as const;

/** Makes a self-signed certificate in a directory. */
export async function makeCertificate(
  directory: string,
  altNames: readonly (typeof NAMES)[number][] = NAMES,
): Promise<TestCertificate> {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keySize: 2048,
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [...altNames],
      },
    ],
  });
  const certFile = join(directory, 'test-cert.pem');
  const keyFile = join(directory, 'test-key.pem');
  writeFileSync(certFile, made.cert);
  writeFileSync(keyFile, made.private);
  return { certificate: made.cert, key: made.private, certFile, keyFile };
}
