import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';

/**
 * How it is found whose certificate a server has. The client names servers to TLS that are called by their names, and none
 * that is called by its address: Node.js would look for `localhost` in the certificate of that one.
 *
 * @param servers `HOST:PORT` with commas between, as they are called
 * @returns for TLS: why a certificate is not that of the server; undefined: it is
 */
export function identityOf(servers: string): (name: string, certificate: PeerCertificate) => Error | undefined {
  const hosts = servers.split(',').map((server) => server.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'));
  const addresses = hosts.filter((host) => isIP(host) !== 0);
  return (name, certificate) => {
    const names = hosts.includes(name) || addresses.length === 0 ? [name] : addresses;
    const refusals = names.map((each) => checkServerIdentity(each, certificate));
    return refusals.includes(undefined) ? undefined : refusals[0];
  };
}
