import { cut, encode, pieceBytes, type Question } from './messages.js';

/** A task as it is sent, in pieces that a message holds. */
export class TaskInPieces {
  readonly #pieces: readonly Uint8Array[];

  constructor(task: unknown, longestBytes: number) {
    this.#pieces = [...cut(encode(task), pieceBytes(longestBytes))];
  }

  get count(): number {
    return this.#pieces.length;
  }

  /** @param number from 0; of one that there is not nothing is in it */
  at(number: number): Uint8Array {
    return this.#pieces[number] ?? new Uint8Array(0);
  }
}

type Piece = Pick<Extract<Question, { say: 'tell' }>, 'number' | 'more' | 'what' | 'bytes'>;

/** Pieces that are kept while one before them is missing. */
const MOST_KEPT = 64;

/** Puts what a task tells together again: each piece counts once, in order. */
export class Reassembly {
  /** Number of the piece that comes next. */
  next = 0;
  readonly #early = new Map<number, Piece>();
  #begun: Uint8Array[] = [];

  /**
   * Takes a piece.
   *
   * @returns what is whole by it, in order; what comes too early is kept, when there is room, and counted later
   */
  *add(piece: Piece): Generator<{ readonly what: Piece['what']; readonly bytes: Uint8Array }> {
    if (piece.number > this.next) {
      if (this.#early.size < MOST_KEPT) this.#early.set(piece.number, piece);
      return;
    }
    if (piece.number < this.next) return;
    for (let at: Piece | undefined = piece; at; at = this.#takeEarly()) {
      this.next++;
      this.#begun.push(at.bytes);
      if (at.more) continue;
      const bytes = this.#begun.length === 1 ? this.#begun[0] : Buffer.concat(this.#begun);
      this.#begun = [];
      yield { what: at.what, bytes };
    }
  }

  #takeEarly(): Piece | undefined {
    const piece = this.#early.get(this.next);
    this.#early.delete(this.next);
    return piece;
  }
}
