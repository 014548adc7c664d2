// Folders, and files with blame in the margin.
import { showBlame } from "./blame.js";
import { count, h, say } from "./dom.js";
import { escapePath, links, pathCrumbs, repositoryHead } from "./repositories.js";

const DIRECTORY = 4, SUBMODULE = 5, SYMLINK = 3;
/** Longer files are shown up to here: a page is for reading. */
const MAXIMUM_BYTES = 4 * 1024 * 1024;
const LINES_PER_BLOCK = 400;

export async function tree(app, main, [id, ref, path]) {
  const repository = await repositoryHead(app, main, id, ref, "tree", path);
  const list = h("ul.rows.files");
  main.append(pathCrumbs(repository, ref, path), list);
  const request = {
    repositoryId: Number(id), ref, path, includeDirectories: true, includeSizes: true, maxEntries: 5000
  };
  let truncated = false;
  for await (const part of app.stream("GetTree", request)) {
    list.append(...part.entries.sort(byKindThenName).map((entry) => row(id, ref, entry)));
    truncated ||= part.truncated;
  }
  say(count(list.children.length, "entry", "entries") + (truncated ? ", and more that are not shown" : ""));
  const readme = [...list.querySelectorAll("a")].find((link) => /^readme(\.|$)/i.test(link.dataset.name));
  if (readme) await showReadme(app, main, id, ref, readme);
}

const byKindThenName = (left, right) => (right.type === DIRECTORY) - (left.type === DIRECTORY)
  || (left.path < right.path ? -1 : 1);

function row(id, ref, entry) {
  const name = entry.path.split("/").at(-1);
  const isFolder = entry.type === DIRECTORY;
  const content = [
    h(`span.icon.${isFolder ? "folder" : entry.type === SUBMODULE ? "module" : "file"}`, { "aria-hidden": "true" }),
    h("span.name", name), isFolder ? h("span.hidden", "folder") : null,
    entry.type === SYMLINK ? h("span.tag", "link") : entry.type === SUBMODULE ? h("span.tag", "submodule") : null,
    h("span.detail", isFolder || entry.type === SUBMODULE ? "" : size(entry.size)),
  ];
  if (entry.type === SUBMODULE) return h("li", h("span.row", content));
  const href = isFolder ? links.tree(id, ref, entry.path) : links.file(id, ref, entry.path);
  return h("li", h("a.row", { href, "data-row": true, "data-name": name }, content));
}

function size(bytes) {
  const number = Number(bytes);
  if (number < 1024) return `${number} B`;
  return number < 1024 * 1024 ? `${(number / 1024).toFixed(1)} KiB` : `${(number / 1024 / 1024).toFixed(1)} MiB`;
}

async function showReadme(app, main, id, ref, link) {
  const path = decodeURIComponent(link.hash.replace(/^#\/r\/\d+\/file\/[^/]*\//, ""));
  const { text, metadata } = await read(app, id, ref, path, 256 * 1024);
  if (metadata?.binary) return;
  main.append(h("section.card.readme", { "aria-label": link.dataset.name },
    h("h2", h("a", { href: link.getAttribute("href") }, link.dataset.name)), h("pre", text)));
}

/** A file's text, at most that many bytes of it. */
async function read(app, id, ref, path, maximum) {
  const pieces = [];
  let metadata = null, byteCount = 0;
  for await (const part of app.stream("GetFile", { repositoryId: Number(id), ref, path, length: maximum })) {
    metadata ??= part.metadata;
    if (part.data.length > 0) pieces.push(part.data);
    byteCount += part.data.length;
  }
  const bytes = new Uint8Array(byteCount);
  pieces.reduce((at, piece) => (bytes.set(piece, at), at + piece.length), 0);
  return { metadata, text: new TextDecoder().decode(bytes), byteCount };
}

export async function file(app, main, [id, ref, path], query) {
  const repository = await repositoryHead(app, main, id, ref, "file", path);
  main.append(pathCrumbs(repository, ref, path));
  const { metadata, text, byteCount } = await read(app, id, ref, path, MAXIMUM_BYTES);
  const whole = Number(metadata?.entry?.size ?? byteCount);
  const facts = h("span.detail", size(whole));
  main.append(h("div.toolbar", facts, h("a", { href: links.commits(id, ref, path) }, "History"), legend()));
  if (metadata?.binary) return void main.append(h("p.notice", "This file is binary."));
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  facts.textContent = `${count(lines.length, "line")} · ${size(whole)}`;
  if (byteCount < whole) main.append(h("p.notice", `Only the first ${size(byteCount)} are shown.`));
  if (lines.length === 0) return void main.append(h("p.notice", "This file is empty."));
  const view = new FileView(id, ref, path, lines);
  main.append(view.element, view.detail);
  view.listen(app.signal);
  if (query.get("line")) view.select(Number(query.get("line")), { block: "center" });
  await showBlame(app, view, { repositoryId: Number(id), ref, path });
}

function legend() {
  const steps = Array.from({ length: 8 }, (_, age) => h(`i.age-${age}`));
  return h("span.legend", { "aria-hidden": "true" }, "new", steps, "old");
}

/** The lines of a file: which is selected, and whose each is. */
class FileView {
  constructor(id, ref, path, lines) {
    Object.assign(this, { id, ref, path, rows: [], hunks: new Array(lines.length).fill(null), selected: 0 });
    this.element = h("div.lines", { role: "table", "aria-label": `Lines of ${path}`, tabindex: "0" });
    this.detail = h(
      "aside.blame-detail", { "aria-live": "polite", "aria-label": "Commit of the selected line", hidden: true }
    );
    for (let start = 0; start < lines.length; start += LINES_PER_BLOCK) {
      const block = lines.slice(start, start + LINES_PER_BLOCK).map(
        (line, index) => this.#row(start + index + 1, line)
      );
      this.element.append(h("div.block", { role: "rowgroup" }, block));
    }
    this.element.addEventListener("click", (event) => {
      const row = event.target.closest(".line");
      if (row && !getSelection().toString()) this.select(Number(row.dataset.line));
    });
  }

  #row(number, text) {
    const row = h("div.line", { role: "row", "data-line": number },
      h("span.margin", { role: "cell" }), h(
        "span.number", { role: "rowheader" }, number
      ), h("code", { role: "cell" }, text));
    this.rows.push(row);
    return row;
  }

  /** Selects a line, which then stands in the address, and shows its commit. */
  select(number, { block = "nearest" } = {}) {
    const line = Math.min(this.rows.length, Math.max(1, number));
    this.rows[this.selected - 1]?.removeAttribute("aria-selected");
    this.selected = line;
    const row = this.rows[line - 1];
    row.setAttribute("aria-selected", "true");
    row.scrollIntoView({ block });
    history.replaceState(null, "", links.file(this.id, this.ref, this.path, line));
    this.showDetail();
  }

  showDetail() {
    const hunk = this.hunks[this.selected - 1];
    this.detail.hidden = this.selected === 0;
    this.detail.replaceChildren(...(hunk ? this.describe(hunk) : ["The blame of this line has not arrived yet."]));
  }

  /** The line before or after whose commit is another one. */
  #otherHunk(by) {
    const here = this.hunks[this.selected - 1];
    let line = this.selected;
    while (this.hunks[line - 1] === here && line >= 1 && line <= this.rows.length) line += by;
    return line;
  }

  listen(signal) {
    const keys = {
      j: () => this.select(this.selected + 1), k: () => this.select(this.selected - 1),
      ArrowDown: () => this.select(this.selected + 1), ArrowUp: () => this.select(this.selected - 1),
      n: () => this.select(this.#otherHunk(1)), p: () => this.select(this.#otherHunk(-1)),
      Enter: () => this.detail.querySelector("a")?.click(),
    };
    const isMine = (event) => keys[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey
      && !event.target.closest("input, textarea, select, dialog")
      && !(event.key.startsWith("Arrow") && event.target !== this.element)
      && !(event.key === "Enter" && event.target.closest("a, button"));
    // Before the console's own keys, which are for lists.
    document.addEventListener("keydown", (event) => {
      if (!isMine(event)) return;
      event.preventDefault();
      keys[event.key]();
    }, { signal, capture: true });
  }
}
