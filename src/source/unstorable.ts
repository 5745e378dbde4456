import { isDot } from '../format/dirents.js';
import {
  canListAttributes,
  isOnLustre,
  listAttributes,
  listAttributesInPool,
  readAttribute,
  readAttributeInPool,
} from '../posix/extended-attributes.js';
import type { Unstorable } from './source-tree.js';

/**
 * Layout of a Lustre file, as `lustre.lov` has it. Source: lustre_user.h, lov_user_md_v1, lov_user_md_v3,
 * lov_comp_md_v1
 */
const LAYOUT_V1 = 0x0bd10bd0;
const LAYOUT_V3 = 0x0bd30bd0;
const LAYOUT_COMPOSITE = 0x0bd60bd0;
const PATTERN_RELEASED = 0x8000_0000;
const COMPOSITE_HEAD_BYTES = 32;
const COMPONENT_BYTES = 48;
/** State flag of `trusted.hsm`. Source: lustre_user.h, hsm_states; lustre_idl.h, hsm_attrs */
const HSM_RELEASED = 0x4;

/** Attributes that a file system or the machine's policy keeps for itself: a copy does not need them. */
const OWN =
  /^(trusted\.(lov|lma|lmv|dmv|link|fid|version|hsm|som|lfsck_\w+|overlay\..*|SGI_ACL_\w+)|security\.(selinux|ima|evm|SMACK64\w*|apparmor))$/;
const COUNTED = /^(user|trusted|security)\./;

/**
 * Looks at what of the entries of one directory the format cannot hold. Where a directory itself is of a file system that
 * has no such attributes, its entries are not asked for them.
 *
 * NFSv4 ACLs and the attributes of CIFS are not counted: these file systems show them for every file.
 */
export class UnstorableLooks {
  #hasNone = false;
  #lustre: boolean | undefined;

  /** @param at descriptor of the directory @returns undefined where that cannot be told */
  of(at: number, name: Uint8Array): Unstorable | undefined {
    if (!CAN_LIST_ATTRIBUTES) return undefined;
    if (this.#hasNone) return NOTHING;
    this.#lustre ??= isOnLustre(at);
    const found = unstorableAt(at, name, this.#lustre);
    this.#hasNone = !found && isDot(name);
    return found ?? NOTHING;
  }

  /** {@link of} by calls in the pool. Never rejects. */
  async inPool(at: number, name: Uint8Array): Promise<Unstorable | undefined> {
    if (!CAN_LIST_ATTRIBUTES) return undefined;
    if (this.#hasNone) return NOTHING;
    const found = await unstorableInPool(at, name);
    if (!found && isDot(name)) this.#hasNone = true;
    return found ?? NOTHING;
  }
}

const CAN_LIST_ATTRIBUTES = canListAttributes();

/**
 * What of an entry the format cannot hold.
 *
 * @param at descriptor of the directory that it is in
 * @param lustre whether that is on a Lustre file system
 * @returns undefined where there are no such attributes
 */
export function unstorableAt(at: number, name: Uint8Array, lustre: boolean): Unstorable | undefined {
  const names = listAttributes(at, name);
  if (!names || names.length === 0) return names && NOTHING;
  const [layout, state] = lustre ? namesOfArchive(names) : [];
  return unstorable(
    names,
    layout === undefined ? undefined : readAttribute(at, name, layout),
    state === undefined ? undefined : readAttribute(at, name, state),
  );
}

/** {@link unstorableAt} by calls in the pool. Never rejects. */
async function unstorableInPool(at: number, name: Uint8Array): Promise<Unstorable | undefined> {
  const names = await listAttributesInPool(at, name);
  if (!names || names.length === 0) return names && NOTHING;
  const [layout, state] = names.includes('lustre.lov') || names.includes('trusted.lov') ? namesOfArchive(names) : [];
  return unstorable(
    names,
    layout === undefined ? undefined : await readAttributeInPool(at, name, layout),
    state === undefined ? undefined : await readAttributeInPool(at, name, state),
  );
}

const NOTHING: Unstorable = { acl: false, attributes: false, released: false };

/**
 * Attributes of a Lustre file that tell whether its data is in the archive only. Everybody may read the layout; only
 * root may read the state of HSM.
 */
function namesOfArchive(names: readonly string[]): readonly [layout: string, state: string | undefined] {
  const layout = names.includes('lustre.lov') ? 'lustre.lov' : 'trusted.lov';
  return [layout, names.includes('trusted.hsm') ? 'trusted.hsm' : undefined];
}

function unstorable(names: readonly string[], layout: Buffer | undefined, state: Buffer | undefined): Unstorable {
  const isReleased =
    (layout !== undefined && isReleasedLayout(layout)) ||
    (state !== undefined && state.length >= 8 && (state.readUInt32LE(4) & HSM_RELEASED) !== 0);
  return {
    acl: names.includes('system.posix_acl_access') || names.includes('system.posix_acl_default'),
    attributes: names.some((attribute) => COUNTED.test(attribute) && !OWN.test(attribute)),
    released: isReleased,
  };
}

/** Whether a layout says that the file's data is in the archive only: each of its components does. */
function isReleasedLayout(layout: Buffer): boolean {
  if (layout.length < 8) return false;
  const magic = layout.readUInt32LE(0);
  if (magic === LAYOUT_V1 || magic === LAYOUT_V3) return hasReleasedPattern(layout, 0);
  if (magic !== LAYOUT_COMPOSITE || layout.length < COMPOSITE_HEAD_BYTES) return false;
  const components = layout.readUInt16LE(14);
  if (components === 0 || layout.length < COMPOSITE_HEAD_BYTES + components * COMPONENT_BYTES) return false;
  for (let component = 0; component < components; component++) {
    const offset = layout.readUInt32LE(COMPOSITE_HEAD_BYTES + component * COMPONENT_BYTES + 24);
    if (offset + 8 > layout.length || !hasReleasedPattern(layout, offset)) return false;
  }
  return true;
}

function hasReleasedPattern(layout: Buffer, at: number): boolean {
  return layout.readUInt32LE(at + 4) >= PATTERN_RELEASED;
}
