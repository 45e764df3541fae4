() => {  // the worst contrast of text on its background within the board
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const parse = (text) => text.match(/[\d.]+/g).map(Number);
  const behind = (el) => { for (let at = el; at; at = at.parentElement) { const c = parse(getComputedStyle(at).backgroundColor); if (c.length === 3 || c[3] > 0.5) return c; } return [255, 255, 255]; };
  let worst = { ratio: 99 };
  for (const el of document.querySelector("#board").shadowRoot.querySelectorAll("*")) {
    const said = [...el.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent.trim()).join("");
    if (!said || !el.offsetParent || el.closest(".stars")) continue;
    const [a, b] = [light(parse(getComputedStyle(el).color)), light(behind(el))], ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst.ratio) worst = { ratio, text: said, colour: getComputedStyle(el).color };
  }
  return worst;
}
