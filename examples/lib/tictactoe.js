/**
 * The rules of noughts and crosses, and a perfect player by exhaustive search. A board is nine squares from the side of one player:
 * 1 theirs, -1 the other's, 0 empty. Knows nothing of learning.
 */

const lines = [
  [0, 1, 2],
  [3, 4, 5],
  [6, 7, 8],
  [0, 3, 6],
  [1, 4, 7],
  [2, 5, 8],
  [0, 4, 8],
  [2, 4, 6],
];

export const startBoard = () => new Int8Array(9);

/** The board behind a move of the side that it is seen from. @param {Int8Array} board @param {number} move */
export function play(board, move) {
  return board.with(move, 1);
}

/** 1 where the side that it is seen from has three in a row, 0 where the board is full, null while the game goes on. @param {Int8Array} board */
export function resultOf(board) {
  if (lines.some((line) => line.every((square) => board[square] === 1))) return 1;
  return board.includes(0) ? null : 0;
}

/** Empty squares; with `perfect` those moves only that no other is better than. @param {Int8Array} board @param {boolean} [perfect] */
export function movesOf(board, perfect = false) {
  const moves = [...board.keys()].filter((square) => board[square] === 0);
  if (!perfect) return moves;
  const worth = moves.map((move) => worthOf(play(board, move)));
  const most = Math.max(...worth);
  return moves.filter((_, i) => worth[i] === most);
}

/** The other side's answers, each seen from theirs, with the result where it ends the game. @param {Int8Array} board */
export function answersOf(board) {
  const theirs = board.map((square) => -square);
  return movesOf(theirs).map((move) => {
    const after = play(theirs, move);
    return { after, result: resultOf(after) };
  });
}

/** @type {Map<string, number>} */
const worths = new Map();

/** What a position is worth to who has just moved when both play perfectly: 1, 0 or -1. @param {Int8Array} board @returns {number} */
function worthOf(board) {
  const key = board.join();
  let worth = worths.get(key);
  if (worth === undefined) {
    worth = resultOf(board) ?? -Math.max(...answersOf(board).map(({ after }) => worthOf(after)));
    worths.set(key, worth);
  }
  return worth;
}

/** @param {Int8Array} board @param {boolean} crosses whether it is seen from the side of the crosses */
export function show(board, crosses) {
  const sign = (/** @type {number} */ square) => (square === 0 ? '.' : (square === 1) === crosses ? 'X' : 'O');
  return [0, 3, 6].map((row) => Array.from(board.subarray(row, row + 3), sign).join(' ')).join('\n');
}
