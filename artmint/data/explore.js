// The page of a grid: what was painted, what it scored, and one button that takes a cell's settings.
const token = new URLSearchParams(location.search).get("token");
const at = (path) => `${path}?token=${encodeURIComponent(token)}`;
const byId = (id) => document.getElementById(id);

function element(kind, text, className) {
  const made = document.createElement(kind);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const words = (changes) => Object.entries(changes).map(([name, value]) => `${name} ${shown(value)}`).join(", ");

async function ask(path, body) {
  const answer = await fetch(at(path), body && { method: "POST", body: JSON.stringify(body) });
  const facts = await answer.json();
  if (!answer.ok) throw new Error(facts.message);
  return facts;
}

function showDiff(text) {
  const lines = text.split("\n").map((line) => {
    const kind = line.startsWith("+") ? "add" : line.startsWith("-") ? "del" : "";
    return element("span", `${line}\n`, kind);
  });
  byId("diff").replaceChildren(...lines);
}

async function openTaking(number, cell) {
  const dialog = byId("taking");
  const write = byId("write");
  byId("taking-title").textContent = words(cell.changes);
  byId("answer").textContent = "";
  write.hidden = true;
  byId("leave").textContent = "Leave it";
  try {
    const taken = await ask("take", { cell: number, write: false });
    showDiff(taken.diff || "The file says so already.");
    write.hidden = !taken.diff;
    write.onclick = async () => {
      write.disabled = true;
      try {
        await ask("take", { cell: number, write: true });
        byId("answer").textContent = `${taken.file} is written.`;
        write.hidden = true;
        byId("leave").textContent = "Close";
      } catch (error) {
        byId("answer").textContent = error.message;
      }
      write.disabled = false;
    };
  } catch (error) {
    showDiff("");
    byId("answer").textContent = error.message;
  }
  if (!dialog.open) dialog.showModal();
}

function openLarge(cell, shot) {
  const dialog = byId("large");
  const image = dialog.querySelector("img");
  image.src = at(`picture/${shot.dna}`);
  image.alt = words(cell.changes);
  const traits = Object.values(shot.traits).join(", ");
  dialog.querySelector("p").textContent = `${words(cell.changes)}. Slot ${shot.slot} (${traits}), seed ${shot.seed}: ${shot.verdict}`;
  dialog.showModal();
}

function drawShot(cell, shot) {
  const button = element("button", undefined, `shot ${shot.verdict}`);
  const image = element("img");
  image.src = at(`picture/${shot.dna}`);
  image.loading = "lazy";
  image.alt = `Slot ${shot.slot}, seed ${shot.seed}: ${shot.verdict}`;
  button.append(image);
  button.onclick = () => openLarge(cell, shot);
  return button;
}

function drawCell(cell, number) {
  const box = element("section", undefined, "cell");
  const shots = element("div", undefined, "shots");
  shots.append(...cell.shots.map((shot) => drawShot(cell, shot)));
  const scores = element("dl", undefined, "scores");
  for (const [name, value] of Object.entries(cell.mean)) {
    scores.append(element("dt", name), element("dd", Number(value.toPrecision(3))));
  }
  const kept = cell.shots.filter((shot) => shot.verdict === "accept").length;
  const take = element("button", "Take these settings");
  take.onclick = () => openTaking(number, cell);
  box.append(element("h3", words(cell.changes)), shots, scores);
  box.append(element("p", `${kept} of ${cell.shots.length} would be accepted`, "verdicts"), take);
  return box;
}

function draw(grid) {
  document.title = `${grid.title}: explore`;
  byId("title").textContent = grid.title;
  byId("axes").textContent = grid.axes.map((axis) => `${axis.setting}: ${axis.values.map(shown).join(", ")}`).join(" · ");
  const columns = grid.axes.at(-1).values.length;
  const third = grid.axes.length === 3 ? grid.axes[0] : null;
  const size = grid.cells.length / (third ? third.values.length : 1);
  for (let start = 0; start < grid.cells.length; start += size) {
    if (third) byId("sheets").append(element("h2", `${third.setting} ${shown(third.values[start / size])}`));
    const sheet = element("div", undefined, "sheet");
    sheet.style.setProperty("--columns", columns);
    sheet.append(...grid.cells.slice(start, start + size).map((cell, i) => drawCell(cell, start + i)));
    byId("sheets").append(sheet);
  }
}

ask("grid").then(draw, (error) => byId("sheets").append(element("p", error.message)));
