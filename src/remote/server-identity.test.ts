import type { PeerCertificate } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { identityOf } from './server-identity.js';

const certificateFor = (subjectaltname: string) => ({ subject: { CN: 'nats' }, subjectaltname }) as PeerCertificate;
/** What Node.js looks for where it is told no name. */
const NO_NAME = 'localhost';

describe('the certificate of a server of workers', () => {
  it('is for its address where it is called by that, and not for this machine', () => {
    for (const address of ['10.1.0.5', '[fd00::5]']) {
      const isOf = identityOf(`${address}:4222`);
      const named = address.replaceAll(/[[\]]/g, '');
      expect(isOf(NO_NAME, certificateFor(`IP Address:${named}`))).toBeUndefined();
      expect(isOf(NO_NAME, certificateFor('IP Address:10.1.0.6'))?.message).toContain(named);
      expect(isOf(NO_NAME, certificateFor('DNS:localhost'))).toBeInstanceOf(Error);
    }
  });

  it('is for its name where it is called by that, though others are called by their addresses', () => {
    const isOf = identityOf('head:4222,10.1.0.5:4222');
    expect(isOf('head', certificateFor('DNS:head'))).toBeUndefined();
    expect(isOf('head', certificateFor('IP Address:10.1.0.5'))).toBeInstanceOf(Error);
    expect(isOf(NO_NAME, certificateFor('IP Address:10.1.0.5'))).toBeUndefined();
    expect(isOf(NO_NAME, certificateFor('DNS:head'))).toBeInstanceOf(Error);
    expect(identityOf('head:4222')('head', certificateFor('DNS:tail'))).toBeInstanceOf(Error);
  });
});
