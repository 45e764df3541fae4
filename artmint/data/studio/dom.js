// Elements from plain values: what somebody typed is only ever text, never markup.

const SVG = "http://www.w3.org/2000/svg";

export function el(tag, facts = {}, ...children) {
  const node = tag === "svg" || tag === "path" ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else if (name === "class") node.setAttribute("class", value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter(Boolean));
  return node;
}

// What has the focus keeps it when its part is made anew: it is found again by data-key.
export function keepingFocus(change) {
  const key = document.activeElement?.dataset?.key;
  change();
  if (!key || document.activeElement?.dataset?.key === key) return;
  document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

export function fill(parent, ...children) {
  keepingFocus(() => parent.replaceChildren(...children.flat().filter(Boolean)));
}

// A list of which only what changed is made anew, so that pictures don't flicker.
const made = new WeakMap();
export function list(parent, items, keyOf, make) {
  const before = made.get(parent) ?? new Map();
  const after = new Map();
  for (const item of items) {
    const key = keyOf(item), said = JSON.stringify(item), old = before.get(key);
    after.set(key, old?.said === said ? old : { said, node: make(item) });
  }
  made.set(parent, after);
  const nodes = [...after.values()].map((one) => one.node);
  const same = nodes.length === parent.children.length && nodes.every((node, i) => node === parent.children[i]);
  if (!same) keepingFocus(() => parent.replaceChildren(...nodes));
}

export function forget(parent) {
  made.delete(parent);
}

export function code(text) {
  return el("code", {}, text);
}

export function button(text, key, press, facts = {}) {
  return el("button", { type: "button", "data-key": key, click: press, ...facts }, text);
}
