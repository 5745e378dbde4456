import type { Node, Version } from './model-node.js';
import type { ModelTree } from './model-tree.js';

/** What had a path at some time: an inode, and its version when it came there. */
type Seen = Map<Node, Version>;

/**
 * What each path led to while a job ran.
 *
 * A file that a process holds open stays open under every name, so that later versions of an inode that once had a path
 * count as versions of that path.
 */
export class History {
  #begun = false;
  readonly #seen = new Map<string, Seen>();
  readonly #same = new Map<string, Node>();
  readonly #untouched = new Map<string, Version>();
  readonly #neverLocked = new Set<Node>();

  /** From here on everything is remembered. */
  begin(tree: ModelTree): void {
    this.#begun = true;
    for (const { path, node } of this.#everything(tree)) {
      this.#same.set(path, node);
      this.#untouched.set(path, node.version);
      if (!node.isLocked) this.#neverLocked.add(node);
    }
    this.record(tree);
  }

  record(tree: ModelTree): void {
    if (!this.#begun) return;
    const now = new Map<string, Node>();
    for (const { path, node } of this.#everything(tree)) {
      now.set(path, node);
      if (node.isLocked) this.#neverLocked.delete(node);
      const seen = this.#seen.get(path);
      if (!seen) this.#seen.set(path, new Map([[node, node.version]]));
      else if (!seen.has(node)) seen.set(node, node.version);
    }
    for (const [path, node] of this.#same) if (now.get(path) !== node) this.#same.delete(path);
    for (const [path, version] of this.#untouched) {
      const node = now.get(path);
      if (node !== version.node || (!node.isDirectory && node.version !== version)) this.#untouched.delete(path);
    }
  }

  /** Whether the path can have been read with this version of an inode. */
  allows(path: string, version: Version): boolean {
    const since = this.#seen.get(path)?.get(version.node);
    return since !== undefined && version.tick >= since.tick;
  }

  everHad(path: string): boolean {
    return this.#seen.has(path);
  }

  /** Paths that led to the same version all the time, through directories that stayed what and where they were. */
  untouched(): ReadonlyMap<string, Version> {
    const paths = new Map<string, Version>();
    for (const [path, version] of this.#untouched) {
      if (this.#neverLocked.has(version.node) && this.#isReachable(path)) paths.set(path, version);
    }
    return paths;
  }

  /** Names that were links of one inode all the time, through directories that stayed; only where there are several. */
  steadyLinks(): readonly (readonly string[])[] {
    const groups = new Map<Node, string[]>();
    for (const [path, node] of this.#same) {
      if (node.isDirectory || !this.#isReachable(path)) continue;
      const names = groups.get(node);
      if (names) names.push(path);
      else groups.set(node, [path]);
    }
    return [...groups.values()].filter((names) => names.length > 1);
  }

  #isReachable(path: string): boolean {
    if (path === '') return true;
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    const version = this.#untouched.get(parent);
    return version !== undefined && this.#neverLocked.has(version.node) && this.#isReachable(parent);
  }

  #everything(tree: ModelTree): readonly { readonly path: string; readonly node: Node }[] {
    return [{ path: '', node: tree.root }, ...tree.places()];
  }
}
