import type { Container } from '../container/container.js';
import { compressObject, ENVELOPE_BYTES, type Lz4, writePlainEnvelope } from '../format/envelope.js';
import { BufferBudget } from './buffer-budget.js';

/** Bytes of objects that one thread may have in flight. */
const IN_FLIGHT_BYTES = 40 * 1048576;

/**
 * Sends objects: the one place where a body becomes a blob.
 *
 * A body is built in a scratch buffer and compressed from there into the buffer that is sent; when it must be stored
 * uncompressed, the two change places. Bytes in flight are bounded.
 */
export class ObjectWriter {
  readonly container: Container;
  readonly #lz4: Lz4 | undefined;
  readonly #budget: BufferBudget;
  /** One scratch buffer for each size of output. */
  readonly #scratch = new Map<number, Buffer>();

  /**
   * @param lz4 undefined: nothing is compressed
   * @param largestBytes of one object, envelope included
   */
  constructor(container: Container, lz4: Lz4 | undefined, largestBytes: number) {
    this.container = container;
    this.#lz4 = lz4;
    this.#budget = new BufferBudget(IN_FLIGHT_BYTES, largestBytes);
  }

  /** Waits for room for an object of up to `sizeBytes`. The draft must be sent or dropped. */
  reserve(sizeBytes: number): ObjectDraft | Promise<ObjectDraft> {
    const wait = this.container.ready();
    if (wait) return wait.then(() => this.reserve(sizeBytes));
    const output = this.#budget.acquire(sizeBytes);
    return output instanceof Promise
      ? output.then((buffer) => new ObjectDraft(this, buffer))
      : new ObjectDraft(this, output);
  }

  /** Sends an object whose body is at hand. @returns length of its blob */
  async putBody(name: string, body: Uint8Array, onlyNew = false): Promise<number> {
    const draft = await this.reserve(ENVELOPE_BYTES + body.length);
    draft.buffer().set(body, ENVELOPE_BYTES);
    draft.seal(ENVELOPE_BYTES + body.length);
    const { storedBytes } = draft;
    await draft.send(name, onlyNew);
    return storedBytes;
  }

  /** @internal */
  scratch(output: Buffer): Buffer {
    if (!this.#lz4) return output;
    const scratch = this.#scratch.get(output.length) ?? Buffer.allocUnsafeSlow(output.length);
    this.#scratch.set(output.length, scratch);
    return scratch;
  }

  /**
   * Compresses what is in the scratch buffer into `output`. @internal @returns the blob, and the buffer that holds it
   */
  finish(output: Buffer, length: number): { readonly blob: Buffer; readonly held: Buffer } {
    const scratch = this.scratch(output);
    writePlainEnvelope(scratch);
    const compressed = this.#lz4 ? compressObject(scratch.subarray(0, length), output, this.#lz4) : 0;
    if (compressed > 0) return { blob: output.subarray(0, compressed), held: output };
    if (this.#lz4) this.#scratch.set(output.length, output);
    return { blob: scratch.subarray(0, length), held: scratch };
  }

  /** @internal */
  release(buffer: Buffer): void {
    this.#budget.release(buffer);
  }
}

/** An object being built: reserve, build in {@link ObjectDraft.buffer}, seal, send. */
export class ObjectDraft {
  readonly #writer: ObjectWriter;
  #held: Buffer;
  #blob: Buffer | undefined;

  /** @internal */
  constructor(writer: ObjectWriter, output: Buffer) {
    this.#writer = writer;
    this.#held = output;
  }

  /**
   * Where envelope and body are built. Shared between drafts: nothing may be awaited, and no other draft touched,
   * between this and {@link seal}.
   */
  buffer(): Buffer {
    return this.#writer.scratch(this.#held);
  }

  /** Turns the first `length` bytes of the buffer, whose body begins behind the envelope, into the blob. */
  seal(length: number): void {
    const { blob, held } = this.#writer.finish(this.#held, length);
    this.#blob = blob;
    this.#held = held;
  }

  /** Length of the sealed blob. */
  get storedBytes(): number {
    return this.#blob?.length ?? 0;
  }

  /** Sends the sealed object, and gives its room back. */
  send(name: string, onlyNew = false): Promise<void> {
    if (!this.#blob) throw new Error('An object is sent before it is sealed.');
    return this.#writer.container.put(name, this.#blob, onlyNew ? ONLY_NEW : undefined).then(
      () => this.drop(),
      (error: unknown) => {
        this.drop();
        throw error;
      },
    );
  }

  /** Gives the room back. */
  drop(): void {
    this.#writer.release(this.#held);
  }
}

const ONLY_NEW = { onlyNew: true };
