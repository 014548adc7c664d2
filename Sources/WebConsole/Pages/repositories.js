// The list of repositories, and what stands above every page of one.
import { count, crumbs, h, more, say, when } from "./dom.js";

/** A path in an address: slashes stay. */
export const escapePath = (path) => path.split("/").map(encodeURIComponent).join("/");

/** Addresses within a repository; the reference "" is the default branch. */
export const links = {
  tree: (id, ref, path = "") => `#/r/${id}/tree/${encodeURIComponent(ref)}${path ? `/${escapePath(path)}` : ""}`,
  file: (
    id, ref, path, line = 0
  ) => `#/r/${id}/file/${encodeURIComponent(ref)}/${escapePath(path)}${line ? `?line=${line}` : ""}`,
  commits: (id, ref, path = "") => `#/r/${id}/commits/${encodeURIComponent(ref)}${path ? `/${escapePath(path)}` : ""}`,
  commit: (id, sha) => `#/r/${id}/commit/${sha}`,
  search: (id, ref, query = "") => `#/r/${id}/search/${encodeURIComponent(ref)}${query ? `?q=${
    encodeURIComponent(query)
  }` : ""}`,
};

export async function repositories(app, main) {
  const list = h("ul.rows");
  const filter = h("input", { type: "search", placeholder: "Filter by name", "aria-label": "Filter by name" });
  main.append(h("div.heading", h("h1", "Repositories"), filter), list);
  let token = "", round = 0;
  const load = async () => {
    const mine = round;
    const page = await app.unary("ListRepositories", { pageSize: 100, pageToken: token, query: filter.value });
    if (mine !== round) return false;
    list.append(...page.repositories.map(row));
    token = page.nextPageToken;
    say(list.children.length === 0 ? "no repositories" : count(list.children.length, "repository", "repositories"));
    return token !== "";
  };
  const begin = async () => {
    round++;
    token = "";
    list.replaceChildren();
    main.querySelector(".more")?.remove();
    if (await load()) main.append(more(load));
  };
  let waiting = 0;
  filter.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => begin().catch((error) => say(error.message, "error")), 200);
  });
  await begin();
}

function row(repository) {
  return h("li", h("a.row", { href: links.tree(repository.id, ""), "data-row": true },
    h("span.name", repository.name),
    repository.status === 1 ? null : h("span.tag", "not active"),
    mirrorTag(repository.mirror),
    h("span.detail", repository.defaultBranch, " · ", when(repository.dateUpdated ?? repository.dateAdded))));
}

const MIRROR_STATES = ["", "cloning", "mirror", "fetching", "fetch failed"];

/** What our copy of a remote repository is doing; why the last fetch failed on hover. */
function mirrorTag(mirror) {
  if (!mirror) return null;
  const failed = mirror.state === 4;
  const text = failed && !mirror.fetchedAt ? "clone failed" : MIRROR_STATES[mirror.state] ?? "mirror";
  return h(failed ? "span.tag.writes" : "span.tag", { title: mirror.error?.message || null }, text);
}

/** The head of a repository's pages: name, reference, tabs. Returns the repository. */
export async function repositoryHead(app, main, id, ref, tab, path = "") {
  const repository = await app.unary("GetRepository", { repositoryId: Number(id) });
  document.title = `${repository.name} · scm-gateway`;
  const select = h(
    "select", { "aria-label": "Branch or tag" }, h("option", { value: "" }, ref || repository.defaultBranch || "HEAD")
  );
  const tabs = [
    ["Files", "tree", links.tree(id, ref)], ["Commits", "commits", links.commits(id, ref)],
    ["Search", "search", links.search(id, ref)]
  ];
  main.append(
    h("div.heading", h("h1", repository.name), select,
      h("nav.tabs", { "aria-label": "Repository" }, tabs.map(([text, name, href]) =>
        h("a", { href, "aria-current": name === tab ? "true" : null }, text)))),
  );
  fillReferences(app, select, id, ref).catch(() => {});
  select.addEventListener("change", () => {
    const to = select.value;
    location.hash = tab === "commits" ? links.commits(id, to, path) : tab === "search" ? links.search(id, to)
      : tab === "file" ? links.file(id, to, path) : links.tree(id, to, path);
  });
  return repository;
}

async function fillReferences(app, select, id, ref) {
  const request = { repositoryId: Number(id), pageSize: 200 };
  const [{ branches }, { tags }] = await Promise.all(
    [app.unary("ListBranches", request), app.unary("ListTags", request)]
  );
  const option = (name) => h("option", { value: name, selected: name === ref }, name);
  const known = [...branches, ...tags].some(({ name }) => name === ref);
  select.replaceChildren(
    ...(ref && !known ? [h("option", { value: ref, selected: true }, ref.length >= 40 ? ref.slice(0, 10) : ref)] : []),
    h("optgroup", { label: "Branches" }, branches.map(({ name, isDefault }) =>
      isDefault ? h("option", { value: "", selected: ref === "" || ref === name }, name) : option(name))),
    h("optgroup", { label: "Tags" }, tags.map(({ name }) => option(name))),
  );
}

/** Repository, folder, folder, file: where a path is. */
export function pathCrumbs(repository, ref, path) {
  const parts = path.split("/").filter(Boolean);
  const steps = parts.map((part, index) => [part, links.tree(repository.id, ref, parts.slice(0, index + 1).join("/"))]);
  return crumbs([["Repositories", "#/"], [repository.name, links.tree(repository.id, ref)], ...steps]);
}
