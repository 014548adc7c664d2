// Lists of commits, and single ones with their changes.
import { count, crumbs, h, more, say, title, when } from "./dom.js";
import { links, pathCrumbs, repositoryHead } from "./repositories.js";

const CHANGES = ["changed", "added", "modified", "deleted", "renamed", "copied", "type changed", "changed"];

export async function commits(app, main, [id, ref, path]) {
  const repository = await repositoryHead(app, main, id, ref, "commits", path);
  const list = h("ul.rows.commits");
  main.append(path ? pathCrumbs(repository, ref, path) : null ?? "", list);
  let token = "";
  const load = async () => {
    const page = await app.unary(
      "ListCommits", { repositoryId: Number(id), ref, path, pageSize: 50, pageToken: token }
    );
    list.append(...page.commits.map((found) => row(id, found)));
    token = page.nextPageToken;
    say(`${count(list.children.length, "commit")}${token ? " so far" : ""}`);
    return token !== "";
  };
  if (await load()) main.append(more(load));
}

function row(id, found) {
  return h("li", h("a.row", { href: links.commit(id, found.key), "data-row": true },
    h("span.name", title(found.message) || "(no message)"),
    h(
      "span.detail", found.author?.name ?? "", " · ", when(found.dateAdded), " · ", h("code", found.key.slice(0, 10))
    )));
}

export async function commit(app, main, [id, sha]) {
  const [repository, found] = await Promise.all([
    app.unary("GetRepository", { repositoryId: Number(id) }), app.unary("GetCommit", { repositoryId: Number(id), sha }),
  ]);
  const subject = title(found.message);
  document.title = `${subject} · ${repository.name}`;
  const body = found.message.slice(subject.length).trim();
  main.append(
    crumbs(
      [["Repositories", "#/"], [repository.name, links.tree(id, "")], ["Commits", links.commits(id, "")],
      [sha.slice(0, 10), ""]]
    ),
    h(
      "div.heading", h("h1", subject || "(no message)"),
      h("a.button", { href: links.tree(id, found.key) }, "Browse files")
    ),
    h(
      "p.detail", found.author?.name ?? "", " <", found.author?.email ?? "", "> · ", when(found.dateAdded), " · ",
      h("code", found.key)
    ),
    body ? h("pre.message", body) : "",
    h("p.detail", found.parentShas.length > 0 ? "Parents: " : "First commit", found.parentShas.map((parent) =>
      [h("a", { href: links.commit(id, parent) }, h("code", parent.slice(0, 10))), " "])),
  );
  const changes = h("div.changes");
  main.append(changes);
  let token = "", total = 0;
  const load = async () => {
    const page = await app.unary("ListCommitFileChanges", {
      repositoryId: Number(id), sha, pageSize: 50, pageToken: token, includeStats: true, includePatches: true,
    });
    changes.append(...page.fileChanges.map((change) => changeCard(id, sha, change)));
    total += page.fileChanges.length;
    token = page.nextPageToken;
    say(`${count(total, "file")} changed${token ? ", and more" : ""}`);
    return token !== "";
  };
  if (await load()) main.append(more(load));
}

function changeCard(id, sha, change) {
  const isGone = change.type === 3;
  const isMoved = change.previousPath && change.previousPath !== change.path;
  const name = isMoved ? `${change.previousPath} → ${change.path}` : change.path;
  const heading = h("summary",
    isGone ? h("span.name", name) : h("a.name", { href: links.file(id, sha, change.path) }, name),
    h("span.tag", CHANGES[change.type] ?? "changed"),
    change.binary ? h("span.detail", "binary") : h(
      "span.detail", h("span.plus", `+${change.additions}`), " ", h("span.minus", `−${change.deletions}`)
    ));
  const patch = change.patch ? h(
    "pre.patch", { tabindex: "0", "aria-label": `Changes of ${change.path}` }, patchLines(change.patch)
  ) : null;
  return h("details.card.change", { open: change.additions + change.deletions <= 400 }, heading, patch,
    change.patchTruncated ? h("p.hint", "The patch is longer than what is shown.") : null);
}

function patchLines(patch) {
  const kinds = { "+": "plus", "-": "minus", "@": "place" };
  return patch.replace(/\n$/, "").split("\n").map(
    (line) => h(`span.patch-line${kinds[line[0]] ? `.${kinds[line[0]]}` : ""}`, line || " ")
  );
}
