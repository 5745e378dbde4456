import { cut, pieceBytes, type Question } from './messages.js';

type Piece = Pick<Extract<Question, { say: 'tell' }>, 'number' | 'more' | 'what' | 'bytes'>;

/** Pieces of one task that are under way at once. */
const UNDER_WAY = 4;

/** Sends what a task tells, in order, a few pieces at once. */
export class Outbox {
  readonly #pieceBytes: number;
  readonly #send: (piece: Piece) => Promise<boolean>;
  readonly #waiting: { readonly piece: Piece; sent(): void }[] = [];
  #number = 0;
  #underWay = 0;

  /** @param send resolves when a piece has arrived; with false when nothing is sent any more */
  constructor(longestBytes: number, send: (piece: Piece) => Promise<boolean>) {
    this.#pieceBytes = pieceBytes(longestBytes);
    this.#send = send;
  }

  /** Sends something whole. Resolves when it, and all before it, has arrived; never when nothing is sent any more. */
  async add(what: Piece['what'], bytes: Uint8Array): Promise<void> {
    const pieces = [...cut(bytes, this.#pieceBytes)];
    const sent = pieces.map(
      (part, at) =>
        new Promise<void>((resolve) => {
          const piece = { number: this.#number++, more: at < pieces.length - 1, what, bytes: part };
          this.#waiting.push({ piece, sent: resolve });
        }),
    );
    this.#next();
    await Promise.all(sent);
  }

  #next(): void {
    while (this.#underWay < UNDER_WAY) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#underWay++;
      void this.#send(next.piece).then((arrived) => {
        if (!arrived) return;
        this.#underWay--;
        next.sent();
        this.#next();
      });
    }
  }
}
