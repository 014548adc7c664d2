// The console: which page the address asks for, the key, the keyboard.
import { Contract } from "./protobuf.js";
import { CallFailed, Channel } from "./rpc.js";
import { find, h, say } from "./dom.js";
import { repositories } from "./repositories.js";
import { commit, commits } from "./commits.js";
import { file, tree } from "./files.js";
import { search } from "./search.js";
import { method, methods } from "./methods.js";

/** The service that this console shows. */
const SERVICE = "sentry.integrations.scm.v1.ScmService";

const pages = [
  [/^$/, repositories],
  [/^r\/(\d+)\/tree\/([^/]*)(?:\/(.*))?$/, tree],
  [/^r\/(\d+)\/file\/([^/]*)\/(.+)$/, file],
  [/^r\/(\d+)\/commits\/([^/]*)(?:\/(.*))?$/, commits],
  [/^r\/(\d+)\/commit\/([0-9a-f]+)$/, commit],
  [/^r\/(\d+)\/search\/([^/]*)$/, search],
  [/^methods$/, methods],
  [/^methods\/([\w.]+)\/(\w+)$/, method],
];

const state = { contract: null, channel: null, running: null };

/** What pages may use. */
class App {
  constructor(signal) {
    this.signal = signal;
    this.contract = state.contract;
    this.channel = state.channel;
  }

  /** A method of the SCM service, or of any by its service's name. */
  method(name, service = SERVICE) {
    const found = this.contract.services.get(service)?.methods.get(name);
    if (!found) throw new Error(`the server has no method ${name}`);
    return found;
  }

  unary(name, request) {
    return this.channel.unary(this.method(name), request, { signal: this.signal });
  }

  stream(name, request) {
    return this.channel.call(this.method(name), request, { signal: this.signal, timeoutSeconds: 600 });
  }
}

/** Shows the page of the address; ends whatever the page before was doing. */
async function show() {
  state.running?.abort();
  const mine = (state.running = new AbortController());
  const main = find("main");
  if (!state.channel) return main.replaceChildren(keyForm());
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [, page, match] = pages.map(
    ([pattern, view]) => [0, view, pattern.exec(path)]
  ).find(([, , found]) => found) ?? [];
  document.title = "scm-gateway";
  for (const link of find("nav").querySelectorAll("a")) {
    const isHere = link.getAttribute("href") === "#/methods" ? path.startsWith("methods") : !path.startsWith("methods");
    if (isHere) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  main.replaceChildren();
  say("");
  try {
    if (!page) throw new Error("there is no such page");
    const words = match.slice(1).map((word) => (word === undefined ? "" : decode(word)));
    await page(new App(mine.signal), main, words, new URLSearchParams(query ?? ""));
  } catch (error) {
    if (!mine.signal.aborted) fail(main, error);
  }
}

/** Paths keep their slashes; everything else of a segment is escaped. */
const decode = (word) => word.split("/").map(decodeURIComponent).join("/");

function fail(main, error) {
  if (error instanceof CallFailed && error.code === 16) {
    forget();
    return say(`${error.status}: ${error.message}`, "error");
  }
  const text = error instanceof CallFailed ? `${error.status}: ${error.message}` : error.message;
  main.append(h("p.notice.error", { role: "alert" }, text));
}

function keyForm() {
  const input = h("input", {
    id: "key", type: "password", autocomplete: "off", required: true, autofocus: true, spellcheck: "false",
    "aria-describedby": "key-error",
  });
  const problem = h("p.problem", { id: "key-error", role: "alert", hidden: true });
  const form = h("form.card.key",
    h("h1", "Browse the repositories of this server"),
    h("label", { for: "key" }, "API key"), input, problem,
    h("button.primary", "Continue"),
    h("p.hint",
    "The key stays in this page's memory and goes with every call to this server, and nowhere else. Reloading",
      " the page forgets it. ", h("code", "scm-gateway key add"), " makes one."));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const key = input.value.trim();
    try {
      await enter(key);
    } catch (error) {
      problem.textContent = error instanceof CallFailed ? `${error.status}: ${error.message}` : error.message;
      problem.hidden = false;
      input.setAttribute("aria-invalid", "true");
      input.select();
    }
  });
  queueMicrotask(() => input.focus());
  return form;
}

async function enter(key) {
  if (!state.contract) {
    const response = await fetch("contract.binpb");
    if (!response.ok) throw new Error(`the contract cannot be loaded: HTTP ${response.status}`);
    state.contract = new Contract();
    state.contract.addSet(new Uint8Array(await response.arrayBuffer()));
  }
  const channel = new Channel(state.contract, key);
  // A call that every key may make tells whether this is one.
  const list = state.contract.services.get(SERVICE).methods.get("ListRepositories");
  await channel.unary(list, { pageSize: 1 });
  state.channel = channel;
  find("nav").hidden = find("leave").hidden = false;
  await show();
  find("main").focus();
}

function forget() {
  state.channel = null;
  find("nav").hidden = find("leave").hidden = true;
  show();
}

// ------------------------------------------------------------------------------------------------ keyboard

/** Rows that `j` and `k` walk over: links in lists; files have lines of their own and answer themselves. */
function step(by) {
  const rows = [...find("main").querySelectorAll("[data-row]")];
  if (rows.length === 0) return;
  const at = rows.indexOf(document.activeElement);
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

const keys = {
  "/": () => find("main").querySelector("input[type=search]")?.focus(),
  "?": () => find("shortcuts").showModal(),
  j: () => step(1),
  k: () => step(-1),
  u: () => [...find("main").querySelectorAll(".crumbs a")].at(-1)?.click(),
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, dialog")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const action = keys[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

find("help").addEventListener("click", () => find("shortcuts").showModal());
find("leave").addEventListener("click", forget);
find("skip").addEventListener("click", (event) => {
  event.preventDefault();
  find("main").focus();
});
addEventListener("hashchange", show);
show();
