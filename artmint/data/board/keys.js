// Keys: silent while typing, none of them gets out, held ones only move.

const DIGIT = /^(?:Digit|Numpad)\d$/;
const KEY = /^Key[A-Z]$/;

// A letter as it is printed on the key; where the layout has no Latin ones, by the key's place. A digit is one
// without shift as well (AZERTY), but for a pad that is switched to arrows.
export function letterOf(event) {
  const { key, code = "" } = event;
  if (DIGIT.test(code) && !event.shiftKey && key.length === 1) return code.slice(-1);
  if (key.length > 1) return key;
  return key > "\x7f" && KEY.test(code) ? code[3].toLowerCase() : key.toLowerCase();
}

const MOVES = {
  ArrowRight: () => 1,
  ArrowLeft: () => -1,
  ArrowDown: (columns) => columns,
  ArrowUp: (columns) => -columns,
  PageDown: (columns) => 4 * columns,
  PageUp: (columns) => -4 * columns,
  Home: () => -1e9,
  End: () => 1e9,
};
export const HINTS = [
  ["P", "pick"],
  ["X", "reject"],
  ["U", "unflag"],
  ["Ctrl+Z", "undo"],
  ["0–5", "stars"],
  ["arrows", "move"],
  ["space", "full size"],
  ["Z", "1:1"],
  ["C", "compare"],
  ["D", "its double"],
  ["N", "note"],
  ["/", "search"],
  ["shift + arrows, drag, Ctrl+A", "select"],
];
const DECIDING = new Set(["P", "X", "U", "Ctrl+Z", "0–5", "N"]);
export const hintsFor = (deciding) => HINTS.filter(([key]) => deciding || !DECIDING.has(key));

// What a key on the board does: a function to run, { move: by } or null.
export function commandOf(event, board) {
  const name = letterOf(event);
  const control = event.ctrlKey || event.metaKey;
  const { large } = board;
  if (control && !event.altKey && !event.shiftKey) {
    if (name === "z") return () => board.undo();
    return name === "a" && !large.open ? () => board.selectAll() : null;
  }
  if (event.altKey || control) return null;
  const from = event.composedPath()[0];
  if (/^(BUTTON|A)$/.test(from.tagName) && (name === "Enter" || name === " ")) return null;
  if (name === "Escape") return () => (large.open ? large.close() : board.selecting(false));
  if (/^[0-5]$/.test(name)) return () => board.rate(Number(name));
  if (board.letters[name]) return board.letters[name];
  if (large.open) return inLarge(event, name, board);
  return MOVES[name] ? { move: MOVES[name](board.wall.columns) } : null;
}
function inLarge(event, name, board) {
  const { large } = board;
  const along = name === "ArrowLeft" ? -1 : 1;
  const sideways = name === "ArrowLeft" || name === "ArrowRight";
  if (large.several) {
    if (sideways && event.shiftKey) return () => board.keep(along < 0 ? 0 : 1);
    if (sideways) return { step: along };
    if (name === "ArrowDown" || name === "ArrowUp") return () => board.turn(name === "ArrowDown" ? 1 : -1);
  }
  if (name === "+" || name === "-") return () => large.pane.zoom(name === "+" ? 1 : -1);
  if (name === "ArrowUp" || name === "ArrowDown") return { step: name === "ArrowUp" ? -1 : 1 };
  return MOVES[name] && !large.several ? { step: MOVES[name](1) } : null;
}
