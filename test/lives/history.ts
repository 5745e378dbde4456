import type { Node, Version } from './model-node.js';
import type { ModelTree } from './model-tree.js';

/**
 * What each path led to while a job ran.
 *
 * A version counts as one of a path only if that led to it: a file that is moved away or removed after it was opened
 * stays open, and gets a version which never had that name. A directory that is open is read wherever it has been moved
 * to, so that a path counts that was one of its directory at any time.
 */
export class History {
  #begun = false;
  readonly #had = new Set<string>();
  /** Versions that a path led to. */
  readonly #seen = new Map<string, Set<Version>>();
  /** Paths that a directory had. */
  readonly #pathsOf = new Map<Node, Set<string>>();
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
    addTo(this.#seen, '', tree.root.version);
    for (const { path, node } of this.#everything(tree)) {
      now.set(path, node);
      this.#had.add(path);
      if (node.isLocked) this.#neverLocked.delete(node);
      if (node.isDirectory) addTo(this.#pathsOf, node, path);
    }
    for (const { parent, name, node } of tree.places()) {
      for (const path of this.#pathsOf.get(parent) ?? [])
        addTo(this.#seen, path === '' ? name : `${path}/${name}`, node.version);
    }
    for (const [path, node] of this.#same) if (now.get(path) !== node) this.#same.delete(path);
    for (const [path, version] of this.#untouched) {
      const node = now.get(path);
      if (node !== version.node || (!node.isDirectory && node.version !== version)) this.#untouched.delete(path);
    }
  }

  /** Whether the path can have been read with this version of an inode. */
  allows(path: string, version: Version): boolean {
    return this.#seen.get(path)?.has(version) === true;
  }

  everHad(path: string): boolean {
    return this.#had.has(path);
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

function addTo<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  const set = sets.get(key);
  if (set) set.add(value);
  else sets.set(key, new Set([value]));
}
