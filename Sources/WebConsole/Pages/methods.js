// Every method of the server, made callable from its descriptor.
import { descriptions } from "./describe.js";
import { count, crumbs, h, prose, say } from "./dom.js";
import { fromJSON, template, toJSON } from "./json.js";
import { decode, FileType } from "./protobuf.js";
import { CallFailed } from "./rpc.js";

const REFLECTION = "grpc.reflection.v1.ServerReflection";
const MAXIMUM_SHOWN = 500;
const KINDS = [
  "", "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "group", "message",
  "bytes",
  "uint32", "enum", "sfixed32", "sfixed64", "sint32", "sint64",
];

/** Asks the server for its other services; keys that may not see them go on with the contract. */
async function reflect(app) {
  if (app.contract.reflected === app.channel) return;
  app.contract.reflected = app.channel;
  const info = app.method("ServerReflectionInfo", REFLECTION);
  const ask = (request) => app.channel.unary(info, request, { signal: app.signal });
  try {
    const { listServicesResponse } = await ask({ listServices: "*" });
    for (const { name } of listServicesResponse.service) {
      if (app.contract.services.has(name)) continue;
      const { fileDescriptorResponse } = await ask({ fileContainingSymbol: name });
      app.contract.addFiles(fileDescriptorResponse?.fileDescriptorProto.map((bytes) => decode(FileType, bytes)) ?? []);
    }
  } catch (error) {
    if (!(error instanceof CallFailed)) throw error;
  }
}

export async function methods(app, main) {
  document.title = "Methods · scm-gateway";
  const filter = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter methods" });
  main.append(h("div.heading", h("h1", "Methods"), filter));
  const [described] = await Promise.all([descriptions(), reflect(app)]);
  const services = [...app.contract.services.values()];
  const sections = services.map((service) => h("section", h("h2", service.name), h("ul.rows.methods",
    [...service.methods.values()].map((found) => h("li", { "data-name": found.name.toLowerCase() },
      h("a.row", { href: `#/methods/${service.name}/${found.name}`, "data-row": true }, h("span.name", found.name),
        found.serverStreaming ? h("span.tag", "stream") : null, found.onlyReads ? null : h(
          "span.tag.writes", "may change data"
        ),
        h(
          "span.detail",
          prose(described.methods.get(found.name)?.summary ?? found.response.name.split(".").at(-1))
        )))))));
  main.append(...sections);
  const total = services.reduce((sum, service) => sum + service.methods.size, 0);
  say(`${count(total, "method")} of ${count(services.length, "service")}`);
  filter.addEventListener("input", () => {
    for (
      const item of main.querySelectorAll("[data-name]")
    ) item.hidden = !item.dataset.name.includes(filter.value.toLowerCase());
  });
}

export async function method(app, main, [service, name]) {
  const [described] = await Promise.all([descriptions(), reflect(app)]);
  const found = app.method(name, service);
  const { description, example } = described.methods.get(name) ?? {};
  document.title = `${name} · scm-gateway`;
  const request = h(
    "textarea",
    { id: "request", spellcheck: "false", rows: 12, value: JSON.stringify(template(found.request), null, 2) }
  );
  const send = h("button.primary", "Call");
  const cancel = h("button", { type: "button", disabled: true }, "Cancel");
  const fill = h("button", { type: "button" }, "Fill in an example");
  fill.addEventListener("click", () => {
    request.value = JSON.stringify(example, null, 2);
    request.focus();
  });
  const answer = h("div.answer", { "aria-live": "polite" });
  const form = h("form.call", h("label", { for: "request" }, "Request: ", h("code", found.request.name)), request,
    h("div.buttons", send, cancel, example ? fill : null, h("span.hint", "Ctrl+Enter")));
  const controllers = new Set();
  const run = async () => {
    answer.replaceChildren();
    const controller = new AbortController();
    controllers.add(controller);
    cancel.disabled = false;
    try {
      await call(app, found, request.value, answer, AbortSignal.any([controller.signal, app.signal]));
    } catch (error) {
      const why = error instanceof CallFailed ? `${error.status}: ${error.message}` : error.message;
      const text = controller.signal.aborted ? "cancelled" : why;
      answer.append(h("p.notice.error", { role: "alert" }, text));
    }
    cancel.disabled = true;
    controllers.delete(controller);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  request.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  cancel.addEventListener("click", () => controllers.forEach((controller) => controller.abort()));
  main.append(
    crumbs([["Methods", "#/methods"], [name, ""]]),
    h("h1", name),
    description ? h("p.description", prose(paragraphs(description))) : "",
    h("p.detail", h("code", found.path), " → ", found.serverStreaming ? "stream of " : "", h(
      "code", found.response.name
    ),
      found.onlyReads ? null : h("span.tag.writes", "may change data")),
    found.clientStreaming ? h("p.notice", "A browser sends one message of the request stream.") : "",
    // The answer stands below the request, before the fields where the page is narrow: who calls sees what comes.
    h("div.explorer", h("div.exchange", form, answer), fieldTable(found.request, described)));
}

/** A text without the ends of lines that it has in the contract's file; empty lines stay. */
const paragraphs = (text) => text.replace(/(?<!\n)\n(?!\n)/g, " ");

async function call(app, found, text, answer, signal) {
  const request = fromJSON(found.request, JSON.parse(text || "{}"));
  const started = performance.now();
  let shown = 0;
  for await (const message of app.channel.call(found, request, { signal, timeoutSeconds: 300 })) {
    shown++;
    if (shown > MAXIMUM_SHOWN) continue;
    answer.append(h("pre.card", { tabindex: "0" }, JSON.stringify(toJSON(found.response, message), null, 2)));
    say(`${count(shown, "message")} so far`);
  }
  say(
    `OK, ${count(shown, "message")} in ${Math.round(performance.now() - started)} ms` + (
      shown > MAXIMUM_SHOWN ? `; ${MAXIMUM_SHOWN} are shown` : ""
    )
  );
}

function fieldTable(type, described) {
  const rows = type.fields.map((field) => h("tr",
    h("th", { scope: "row" }, h("code", field.jsonName), h("span.kind", kindText(field))),
    h("td", prose(described.field(type.name, field.jsonName)))));
  return h("table.fields", h("caption", "Fields"), h("tbody", rows));
}

function kindText(field) {
  const named = field.enum ?? field.type;
  if (field.map) return `map of ${kindText(field.type.byName.get("value"))}`;
  const name = named ? named.name.split(".").at(-1) : KINDS[field.kind];
  const text = field.enum ? h("details", h("summary", name), [...field.enum.values.values()].join(", ")) : name;
  return field.repeated ? ["list of ", text] : text;
}
