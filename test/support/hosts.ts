import { execFileSync, spawnSync } from 'node:child_process';

/** Hosts on a network of their own, with this machine as one more. */
export interface Hosts {
  /** Address of this machine there. */
  readonly here: string;
  /** Address of a host. */
  address(host: string): string;
  /** What a command begins with that runs on a host. */
  on(host: string): readonly [string, ...string[]];
  /** Pulls the plug of a host, or puts it in again. */
  setConnected(host: string, isConnected: boolean): void;
  close(): void;
}

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });

/** Why there can be no hosts here; undefined where there can. */
export function whyNoHosts(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may make network namespaces';
  if (spawnSync('ip', ['-V']).status !== 0) return 'there is no iproute2';
  const name = `clfs-try-${process.pid}`;
  const made = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' });
  if (made.status !== 0) return `network namespaces cannot be made (${made.stderr.trim()})`;
  const linked = spawnSync('ip', ['link', 'add', bridgeName('t'), 'type', 'bridge'], { encoding: 'utf8' });
  spawnSync('ip', ['link', 'del', bridgeName('t')]);
  ip('netns', 'del', name);
  return linked.status === 0 ? undefined : `a bridge cannot be made (${linked.stderr.trim()})`;
}

/** A name of a network device has 15 characters at most. */
function bridgeName(letter: string): string {
  return `clfs${letter}${process.pid % 1_000_000}`;
}

/** Makes hosts: each is a network namespace, on one bridge with the others. */
export function makeHosts(names: readonly string[]): Hosts {
  const bridge = bridgeName('b');
  const subnet = `10.213.${process.pid % 250}`;
  const namespace = (host: string) => `clfs-${process.pid}-${host}`;
  const numberOf = (host: string) => names.indexOf(host) + 2;
  const link = (host: string) => `${bridgeName('v')}n${numberOf(host)}`;
  const close = () => {
    for (const host of names) spawnSync('ip', ['netns', 'del', namespace(host)]);
    spawnSync('ip', ['link', 'del', bridge]);
  };
  try {
    ip('link', 'add', bridge, 'type', 'bridge');
    ip('addr', 'add', `${subnet}.1/24`, 'dev', bridge);
    ip('link', 'set', bridge, 'up');
    for (const host of names) {
      const inside = ['netns', 'exec', namespace(host), 'ip'];
      ip('netns', 'add', namespace(host));
      ip('link', 'add', link(host), 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace(host));
      ip('link', 'set', link(host), 'master', bridge, 'up');
      ip(...inside, 'addr', 'add', `${subnet}.${numberOf(host)}/24`, 'dev', 'eth0');
      ip(...inside, 'link', 'set', 'eth0', 'up');
      ip(...inside, 'link', 'set', 'lo', 'up');
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    here: `${subnet}.1`,
    address: (host) => `${subnet}.${numberOf(host)}`,
    on: (host) => ['ip', 'netns', 'exec', namespace(host)],
    setConnected: (host, isConnected) => ip('link', 'set', link(host), isConnected ? 'up' : 'down'),
    close,
  };
}
