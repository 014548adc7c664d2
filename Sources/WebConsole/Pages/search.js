// Code search, streamed.
import { count, h, say } from "./dom.js";
import { links, repositoryHead } from "./repositories.js";

const LITERAL = 1, REGEX = 2;

export async function search(app, main, [id, ref], query) {
  await repositoryHead(app, main, id, ref, "search");
  const input = h(
    "input", {
      type: "search", value: query.get("q") ?? "", placeholder: "Text to find", "aria-label": "Text to find",
      required: true
    }
  );
  const regex = h("input", { type: "checkbox", checked: query.has("regex") });
  const exact = h("input", { type: "checkbox", checked: query.has("case") });
  const globs = h(
    "input", { value: query.get("in") ?? "", placeholder: "Files, such as *.swift", "aria-label": "Only these files" }
  );
  const form = h("form.search", { role: "search" }, input, globs,
    h("label", regex, "Regular expression"), h("label", exact, "Match case"), h("button.primary", "Search"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const words = new URLSearchParams({ q: input.value });
    if (regex.checked) words.set("regex", "1");
    if (exact.checked) words.set("case", "1");
    if (globs.value.trim()) words.set("in", globs.value.trim());
    location.hash = `${links.search(id, ref)}?${words}`;
  });
  const results = h("div.results");
  main.append(form, results);
  if (!input.value) return input.focus();
  const request = {
    search: {
      repositoryId: Number(id), ref, query: input.value, syntax: regex.checked ? REGEX : LITERAL,
      caseSensitive: exact.checked, contextLines: 1, maxMatchesPerFile: 20,
      includeGlobs: globs.value.split(/[ ,]+/).filter(Boolean),
    },
    maxFiles: 200,
  };
  let files = 0, incomplete = false;
  for await (const part of app.stream("StreamSearchCode", request)) {
    for (const match of part.matches) results.append(card(id, ref, match));
    files += part.matches.length;
    incomplete ||= part.incomplete;
    say(`${count(files, "file")} so far`);
  }
  say(files === 0 ? "nothing found" : count(files, "file") + (incomplete ? ", and more that are not shown" : ""));
}

function card(id, ref, match) {
  return h("section.card.match", { "aria-label": match.path },
    h(
      "h2", h(
        "a", { href: links.file(id, ref, match.path, match.fragments[0]?.startLine ?? 0), "data-row": true }, match.path
      )
    ),
    match.fragments.map((fragment) => lines(id, ref, match.path, fragment)),
    match.truncated ? h("p.hint", "There are more matches in this file.") : null);
}

/** The lines of a fragment; its ranges are bytes of UTF-8. */
function lines(id, ref, path, fragment) {
  const bytes = new TextEncoder().encode(fragment.text);
  const decoder = new TextDecoder();
  const rows = [];
  let start = 0;
  for (let number = fragment.startLine; start <= bytes.length; number++) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline;
    const pieces = [];
    let at = start;
    for (const range of fragment.ranges.filter((range) => range.start < end && range.end > start)) {
      const [from, to] = [Math.max(range.start, at), Math.min(range.end, end)];
      pieces.push(decoder.decode(bytes.subarray(at, from)), h("mark", decoder.decode(bytes.subarray(from, to))));
      at = to;
    }
    pieces.push(decoder.decode(bytes.subarray(at, end)));
    rows.push(
      h("a.line", { href: links.file(id, ref, path, number) }, h("span.number", number || ""), h("code", pieces))
    );
    if (newline < 0) break;
    start = newline + 1;
  }
  return h("div.fragment", rows);
}
