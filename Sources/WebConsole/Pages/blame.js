// Blame in the margin of a file, as it streams in: colour tells the age.
import { count, h, millisecondsOf, say, when } from "./dom.js";
import { links } from "./repositories.js";

/** Ages in days at which the next colour begins. */
const STEPS = [7, 30, 90, 180, 365, 730, 1460];

const ageOf = (hunk) => {
  const days = (Date.now() - millisecondsOf(hunk.committedAt)) / 86_400_000;
  const step = STEPS.findIndex((limit) => days < limit);
  return step < 0 ? STEPS.length : step;
};

/** Streams the blame of a file into its view. */
export async function showBlame(app, view, request) {
  view.describe = (hunk) => describe(view, hunk);
  view.showDetail();
  const commits = new Set();
  const started = performance.now();
  let found = 0;
  for await (const hunk of app.stream("BlameFile", request)) {
    found++;
    commits.add(hunk.commitSha);
    place(view, hunk);
    if (view.selected >= hunk.firstLine && view.selected < hunk.firstLine + hunk.lineCount) view.showDetail();
    if (found % 50 === 0) say(`blame: ${count(found, "block")} so far`);
  }
  const milliseconds = Math.round(performance.now() - started);
  say(`blame: ${count(found, "block")} of ${count(commits.size, "commit")} in ${milliseconds} ms`);
}

function place(view, hunk) {
  const age = ageOf(hunk);
  for (let line = hunk.firstLine; line < hunk.firstLine + hunk.lineCount; line++) {
    const row = view.rows[line - 1];
    if (!row) continue;
    view.hunks[line - 1] = hunk;
    row.classList.add(`age-${age}`);
  }
  const first = view.rows[hunk.firstLine - 1];
  if (!first) return;
  first.classList.add("first");
  first.firstElementChild.replaceChildren(
    h("span.who", hunk.author?.name ?? ""),
    h("span.date", new Date(millisecondsOf(hunk.committedAt)).toISOString().slice(0, 10)),
  );
  first.firstElementChild.title = hunk.summary;
}

/** What is said of the selected line; its first link is the commit. */
function describe(view, hunk) {
  const before = hunk.previousSha
    ? h("a", {
      href: links.file(view.id, hunk.previousSha, hunk.previousPath || view.path, hunk.originalFirstLine),
    }, "Blame before it")
    : null;
  return [
    h(`i.swatch.age-${ageOf(hunk)}`, { "aria-hidden": "true" }),
    h("div",
      h("a.summary", { href: links.commit(view.id, hunk.commitSha) }, hunk.summary || hunk.commitSha.slice(0, 10)),
      h("p.detail",
        hunk.author?.name ?? "", " · ", when(hunk.committedAt), " · ", h("code", hunk.commitSha.slice(0, 10)),
        hunk.originalPath && hunk.originalPath !== view.path ? ` · then ${hunk.originalPath}` : "",
        before ? " · " : null, before)),
  ];
}
