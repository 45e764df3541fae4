"use strict";
// A drop as markets show it. All texts are set as text, never as markup; nothing is loaded from elsewhere.
(() => {
const facts = JSON.parse(document.getElementById("facts").textContent);
const root = document.getElementById("preview");
const GROUPS = [["property", "Traits"], ["level", "Levels"], ["stat", "Stats"], ["boost", "Boosts"], ["date", "Dates"]];
const TABS = [["tokens", "Tokens"], ["collection", "Collection"], ["findings", "Findings"], ["refresh", "Refresh"]];
let current = 0;

function make(name, props = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...inside.flat().filter((part) => part !== null && part !== undefined && part !== ""));
  return made;
}

const percent = (share) => share === null ? "" : `${share.toLocaleString("en", { maximumFractionDigits: 2 })} %`;
const plural = (count, one, many) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

function link(address) {
  if (!/^https?:\/\//.test(address)) return make("code", {}, address);
  return make("a", { href: address, rel: "noopener noreferrer", target: "_blank" }, address);
}

function tree(parts) {  // Markdown that was parsed before: texts, and [tag, children, address]
  return parts.map((part) => {
    if (typeof part === "string") return document.createTextNode(part);
    const [tag, inner, address] = part;
    if (tag === "a" && !address) return make("span", {}, tree(inner));
    const props = address ? { href: address, rel: "noopener noreferrer", target: "_blank" } : {};
    return make(tag, props, tree(inner));
  });
}

function picture(media, words, poster = null) {
  const url = media && facts.images[media.key];
  if (url && media.kind.startsWith("video/")) return make("video", { src: url, poster: poster && facts.images[poster.key], controls: true, loop: true, muted: true, "aria-label": words });
  if (url && media.kind.startsWith("audio/")) return make("audio", { src: url, controls: true, "aria-label": words });
  if (url) return make("img", { src: url, alt: words, decoding: "async" });
  return make("p", { className: "soft small" }, media ? `${media.words}: ${media.uri}` : "no picture");
}

function frame(media, token, words) {
  const box = make("div", { className: "media" }, picture(media, words, token.image));
  if (token.colour && media && facts.images[media.key]) box.style.backgroundColor = token.colour;
  return box;
}

function thumb(media) {
  const url = media && facts.images[media.key];
  return url && media.kind.startsWith("image/") ? make("img", { className: "thumb", src: url, alt: "" }) : make("span", { className: "thumb" });
}

// ---- one token, as each of them reads it

function cell(trait) {
  const share = trait.share === null ? null : make("span", { className: "share" }, percent(trait.share));
  return make("li", {}, make("span", { className: "label" }, trait.name || "Property"), make("b", {}, trait.words), share);
}

function level(trait) {
  const most = Math.max(trait.most ?? trait.value, trait.value);
  const words = `${trait.words} of ${most}`;
  const bar = make("progress", { max: most > 0 ? most : 1, value: Math.max(trait.value, 0), "aria-label": `${trait.name}: ${words}` });
  return make("div", { className: "level" }, make("div", {}, make("span", {}, trait.name), make("span", { className: "soft" }, words)), bar);
}

function group(kind, title, traits) {
  const some = traits.filter((trait) => trait.group === kind);
  if (!some.length) return null;
  const list = kind === "level" ? some.map(level) : make("ul", { className: "grid" }, some.map((trait) => {
    if (kind !== "stat") return cell(trait);
    const most = trait.most === null || trait.most === undefined ? "" : ` of ${trait.most}`;
    return make("li", {}, make("span", { className: "label" }, trait.name), make("b", {}, `${trait.words}${most}`));
  }));
  return make("section", {}, make("h4", {}, title), list);
}

function card(name, reads, className, ...inside) {
  return make("article", { className: `card ${className}`, "aria-label": `${name}` },
    make("header", {}, make("h3", {}, name), make("span", { className: "soft small" }, reads)), ...inside);
}

function opensea(token) {
  const { collection } = facts;
  const media = token.animation && token.animation.key ? token.animation : token.image || token.animation;
  const moves = token.animation && !token.animation.key
    ? make("p", { className: "soft small" }, `animation_url (${token.animation.words}): ${token.animation.uri}`) : null;
  return card("OpenSea", "item page", "opensea", frame(media, token, `${token.name} at OpenSea`),
    make("div", { className: "body" },
      make("p", { className: "of" }, collection.name || collection.own_name || "unnamed collection"),
      make("p", { className: "title" }, token.name), moves,
      tree(token.markdown),
      token.link ? make("p", { className: "small" }, link(token.link)) : null,
      GROUPS.map(([kind, title]) => group(kind, title, token.traits)),
      token.traits.length ? make("p", { className: "soft small" }, `Shares ${collection.basis}.`) : make("p", { className: "soft" }, "No traits."),
      collection.royalty === null ? null : make("p", { className: "soft small" }, `Creator earnings ${collection.royalty / 100} %`)));
}

function rarible(token) {
  const { collection } = facts;
  const dropped = token.traits.length - token.rarible.length;
  const rows = token.rarible.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  return card("Rarible", "item page", "rarible", frame(token.image, { colour: "" }, `${token.name} at Rarible`),
    make("div", { className: "body" },
      make("p", { className: "of" }, collection.name || collection.own_name || "unnamed collection"),
      make("p", { className: "title" }, token.name),
      make("p", { className: "plain" }, token.description),
      token.animation ? make("p", { className: "soft small" }, `animation_url: ${token.animation.words}`) : null,
      make("h4", {}, "Properties"),
      rows.length ? make("dl", { className: "rows" }, rows) : make("p", { className: "soft" }, "None."),
      dropped ? make("p", { className: "soft small" }, `${plural(dropped, "attribute", "attributes")} without a name left out.`) : null));
}

function wallet(token) {
  const { collection } = facts;
  const own = collection.own_name || (collection.name ? `${collection.name} (the contract's name is what counts)` : "the contract's name");
  const rows = [["Collection", own], ["Token ID", String(token.id)], ["Token standard", "ERC-721"]];
  if (collection.contract) rows.push(["Contract", collection.contract]);
  return card("Wallet", "MetaMask", "wallet", frame(token.image, { colour: "" }, `${token.name} in a wallet`),
    make("div", { className: "body" },
      make("p", { className: "title" }, token.name),
      make("p", { className: "plain small" }, token.description),
      make("dl", { className: "rows" }, rows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))),
      make("p", { className: "soft small" }, "Attributes come from MetaMask's own service, on Ethereum only.")));
}

// ---- what is wrong

function marked(words) {  // `names` of fields as code
  return words.split("`").map((part, i) => i % 2 ? make("code", {}, part) : part);
}

function finding(row, place) {
  const source = row.url ? make("a", { href: row.url, rel: "noopener noreferrer", target: "_blank" }, row.source) : row.source;
  return make("li", { className: row.severity },
    make("p", {}, make("span", { className: "what" }, `${row.severity}: ${row.rule}`), ` · ${row.market} · ${place}`),
    make("p", {}, marked(row.says)),
    make("p", { className: "small" }, make("code", {}, row.example || `${row.field}: ${row.found}`)),
    make("p", { className: "soft small" }, source, `, ${row.date}`));
}

function listed(rows, place, none) {
  if (!rows.length) return make("p", { className: "soft" }, none);
  return make("ul", { className: "findings" }, rows.map((row) => finding(row, place(row))));
}

// ---- tabs

function tokens() {
  const rail = make("ul", { className: "rail", "aria-label": "tokens" });
  facts.tokens.forEach((token, i) => {
    const serious = token.findings.filter((one) => one.severity !== "advice").length;
    const badge = serious ? make("span", { className: "count", "aria-label": plural(serious, "finding", "findings") }, String(serious)) : null;
    const button = make("button", { type: "button", onclick: () => show(i) }, thumb(token.image), make("span", { className: "name" }, token.name), badge);
    rail.append(make("li", {}, button));
  });
  const stage = make("section", { "aria-live": "polite", "aria-label": "token" });
  function show(i, focus) {
    current = Math.max(0, Math.min(i, facts.tokens.length - 1));
    const token = facts.tokens[current];
    [...rail.querySelectorAll("button")].forEach((button, at) => {
      button.setAttribute("aria-current", at === current ? "true" : "false");
      if (at === current && focus) { button.focus(); button.scrollIntoView({ block: "nearest", inline: "nearest" }); }
    });
    const cards = token.fault ? make("p", { role: "alert" }, `This token's JSON can't be read: ${token.fault}`)
      : make("div", { className: "markets" }, opensea(token), rarible(token), wallet(token));
    stage.replaceChildren(make("h2", {}, `${token.name}`), cards, make("h3", { className: "hint" }, "What is to be said of this token"),
      listed(token.findings, (row) => row.field, "Nothing."));
  }
  if (!facts.tokens.length) return make("p", {}, "No token is here.");
  rail.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const end = { Home: 0, End: facts.tokens.length - 1 }[event.key];
    if (step === undefined && end === undefined) return;
    event.preventDefault();
    show(end === undefined ? current + step : end, true);
  });
  show(current);
  const more = facts.left ? make("p", { className: "soft small" }, `${plural(facts.left, "token more is", "tokens more are")} not on this page; --token shows any of them. The findings are about all.`) : null;
  const left = make("nav", { "aria-label": "Tokens" }, rail);
  return make("div", {}, more, make("div", { className: "tokens" }, left, stage));
}

function collection() {
  const { collection: page } = facts;
  const name = page.name || page.own_name || "unnamed collection";
  const banner = page.banner_image && facts.images[page.banner_image.key]
    ? make("img", { src: facts.images[page.banner_image.key], alt: `Banner of ${name}` })
    : make("p", { className: "soft small" }, page.banner_image ? `${page.banner_image.words}: ${page.banner_image.uri}` : "no banner_image");
  const stats = [[plural(page.supply ?? page.tokens, "token", "tokens"), page.supply ? "at most" : "here"]];
  if (page.royalty !== null) stats.push([`${page.royalty / 100} %`, "creator earnings"]);
  if (page.symbol || page.own_symbol) stats.push([page.symbol || page.own_symbol, "symbol"]);
  if (page.license) stats.push([page.license, "license"]);
  const head = make("div", { className: "card" }, make("div", { className: `banner ${banner.tagName === "IMG" ? "" : "bare"}` }, banner),
    make("div", { className: "crest" }, make("div", { className: "media" }, picture(page.image, `Portrait of ${name}`))),
    make("div", { className: "body" }, make("h2", {}, name), tree(page.markdown),
      page.link ? make("p", {}, link(page.link)) : null,
      page.fault ? make("p", { role: "alert" }, page.fault) : null,
      make("ul", { className: "stats" }, stats.map(([value, label]) => make("li", {}, make("b", {}, value), make("span", { className: "soft small" }, label)))),
      page.editors.length ? make("p", { className: "small" }, "May edit this page on markets: ", page.editors.map((one) => make("code", {}, `${one} `))) : null,
      page.featured_image ? make("div", {}, make("h3", {}, "Featured"), make("div", { className: "media featured" }, picture(page.featured_image, `Featured picture of ${name}`))) : null));
  const wall = make("ul", { className: "wall" }, facts.tokens.map((token, i) => make("li", {},
    make("button", { type: "button", onclick: () => { current = i; open("tokens", true); } }, frame(token.image, token, ""), make("span", { className: "label" }, token.name)))));
  const filters = page.traits.map((trait) => make("details", {},
    make("summary", {}, trait.name || "Property", make("span", { className: "count" }, String(trait.values.length))),
    make("table", {}, make("tbody", {}, trait.values.map(([value, count, share]) => make("tr", {},
      make("th", { scope: "row" }, value), make("td", { className: "number" }, count.toLocaleString("en")), make("td", { className: "number" }, percent(share))))))));
  return make("div", {}, head, make("div", { className: "two" }, wall, make("section", { className: "hint" }, make("h3", {}, "Traits"),
    make("p", { className: "soft small" }, `Shares ${page.basis}.`), filters)));
}

function findings() {
  const serious = facts.findings.filter((row) => row.severity !== "advice").length;
  const words = serious ? `${plural(serious, "rule isn't", "rules aren't")} kept.` : "No market refuses anything of it, or shows it wrongly, by the rules that are known here.";
  return make("div", {}, make("h2", {}, words), make("p", { className: "soft" }, `${facts.rules} rules, each with its source. Markets change them without notice.`),
    listed(facts.findings, (row) => row.place, "Nothing at all."));
}

function refresh() {
  return make("div", {}, make("h2", {}, "When a market still shows old metadata"),
    make("p", { className: "soft" }, "Nothing of this was sent. Keys stay in the variables that the commands name."),
    facts.refresh.map((step) => make("section", { className: "hint" }, make("h3", {}, step.title), make("p", {}, step.why),
      step.command ? make("pre", { tabIndex: 0 }, step.command) : null, make("p", { className: "soft small" }, `${step.source}, ${step.date}`))));
}

const panels = { tokens, collection, findings, refresh };
const bar = make("div", { className: "tabs", role: "tablist", "aria-label": "Views" });
const panel = make("div", { role: "tabpanel", id: "panel" });
const shown = TABS.filter(([name]) => name !== "refresh" || facts.refresh.length);

function open(name, focus) {
  for (const tab of bar.children) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen && focus) tab.focus();
  }
  panel.setAttribute("aria-labelledby", `tab-${name}`);
  panel.replaceChildren(panels[name]());
  if (location.hash !== `#${name}`) history.replaceState(null, "", `#${name}`);
}

for (const [name, title] of shown) {
  const rows = name === "findings" ? facts.findings.length : name === "tokens" ? facts.tokens.length + facts.left : 0;
  const badge = rows ? make("span", { className: "count" }, String(rows)) : null;
  bar.append(make("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "panel", onclick: () => open(name) }, title, badge ? " " : null, badge));
}
bar.addEventListener("keydown", (event) => {
  const at = [...bar.children].indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: bar.children.length - 1 }[event.key];
  if (to === undefined || at < 0) return;
  event.preventDefault();
  open(shown[(to + shown.length) % shown.length][0], true);
});
root.replaceChildren(make("main", { className: "page" }, make("h1", {}, `${facts.title}, as markets show it`),
  make("p", { className: "soft small" }, `What each of them reads, in its groups; not their looks. artmint ${facts.version}`), bar, panel));
const asked = location.hash.slice(1);
open(shown.some(([name]) => name === asked) ? asked : "tokens");
root.dataset.ready = "";
})();
