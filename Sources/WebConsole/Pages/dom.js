// Making and finding elements. Text becomes text nodes only: nothing that a repository holds is ever read as HTML.

/** An element: `h("a.link", {href: "..."}, "text", child)`. Properties that begin with `on` are listeners. */
export function h(selector, ...rest) {
  const [tag, ...classes] = selector.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length > 0) element.className = classes.join(" ");
  for (const item of rest.flat(Infinity)) {
    if (item === null || item === undefined || item === false) continue;
    if (item instanceof Node || typeof item !== "object") element.append(item);
    else setProperties(element, item);
  }
  return element;
}

function setProperties(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
}

export const find = (id) => document.getElementById(id);

/** Says something below the page, and to screen readers. */
export function say(text, kind = "") {
  find("status").textContent = text;
  find("status").dataset.kind = kind;
}

const day = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

export const millisecondsOf = (time) => (time ? Number(time.seconds) * 1000 : 0);

/** `<time>` of a google.protobuf.Timestamp: how long ago, with the date on hover. */
export function when(time) {
  if (!time) return "";
  const date = new Date(millisecondsOf(time));
  return h("time", { datetime: date.toISOString(), title: date.toString() }, ago(date));
}

function ago(date) {
  const hours = (Date.now() - date) / 3_600_000;
  if (hours < 1) return relative.format(-Math.max(0, Math.round(hours * 60)), "minute");
  if (hours < 36) return relative.format(-Math.round(hours), "hour");
  if (hours < 24 * 60) return relative.format(-Math.round(hours / 24), "day");
  return day.format(date);
}

/** The first line of a commit's message. */
export const title = (message) => message.split("\n", 1)[0];

export const count = (number, one, more = `${one}s`) => `${number.toLocaleString()} ${number === 1 ? one : more}`;

/** Steps to a place: `[[text, href] ...]`; the last is where we are. */
export function crumbs(steps) {
  const items = steps.map(([text, href], index) => h("li", index === steps.length - 1
    ? h("span", { "aria-current": "page" }, text) : h("a", { href }, text)));
  return h("nav.crumbs", { "aria-label": "Place" }, h("ol", items));
}

/** A text of the contract: what stands between backquotes is code. */
export const prose = (text) => text.split("`").map((part, index) => (index % 2 ? h("code", part) : part));

/** A button that gets the next page, as long as there is one. */
export function more(load) {
  const button = h("button.more", { type: "button" }, "Show more");
  button.addEventListener("click", async () => {
    button.disabled = true;
    if (await load()) button.disabled = false;
    else button.remove();
  });
  return button;
}
