// Messages as people write them: proto-JSON, to and from the objects of protobuf.js.

const MESSAGE = 11, BYTES = 12, ENUM = 14, BOOL = 8, STRING = 9;

const isDefault = (value) => value === 0 || value === "" || value === false || value.length === 0;

/** A message as proto-JSON, without the fields that have their default. */
export function toJSON(type, value) {
  const known = wellKnownToJSON(type, value);
  if (known !== undefined) return known;
  const json = {};
  for (const field of type.fields) {
    const found = value[field.jsonName];
    if (found === null || found === undefined) continue;
    if (field.map) {
      const entry = field.type.byName.get("value");
      const items = Object.entries(found).map(([key, item]) => [key, itemToJSON(entry, item)]);
      if (items.length > 0) json[field.jsonName] = Object.fromEntries(items);
    } else if (field.repeated) {
      if (found.length > 0) json[field.jsonName] = found.map((item) => itemToJSON(field, item));
    } else if (field.isOptional || field.kind === MESSAGE || !isDefault(found)) {
      json[field.jsonName] = itemToJSON(field, found);
    }
  }
  return json;
}

function itemToJSON(field, value) {
  if (field.kind === MESSAGE) return toJSON(field.type, value);
  if (field.kind === ENUM) return field.enum?.values.get(value) ?? value;
  if (field.kind === BYTES) return btoa(Array.from(value, (byte) => String.fromCharCode(byte)).join(""));
  return value;
}

function wellKnownToJSON(type, value) {
  if (type.name === "google.protobuf.Timestamp") return timeText(value);
  if (type.name === "google.protobuf.Duration") return `${Number(value.seconds) + value.nanos / 1e9}s`;
  if (type.name === "google.protobuf.FieldMask") return value.paths.join(",");
  return undefined;
}

/** A google.protobuf.Timestamp in RFC 3339. */
export function timeText(time) {
  return new Date(Number(time.seconds) * 1000 + time.nanos / 1e6).toISOString().replace(".000Z", "Z");
}

/** The object for a message that somebody wrote as JSON; throws with the field's name. */
export function fromJSON(type, json, place = type.name.split(".").at(-1)) {
  const known = wellKnownFromJSON(type, json, place);
  if (known !== undefined) return known;
  const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
  if (!isObject) throw new Error(`${place} must be an object {...}`);
  const value = {};
  for (const [name, item] of Object.entries(json)) {
    const field = type.byName.get(name);
    if (!field) throw new Error(`${place} has no field "${name}"`);
    if (item === null) continue;
    const at = `${place}.${name}`;
    if (field.map) {
      const entry = field.type.byName.get("value");
      const items = Object.entries(item).map(([key, inner]) => [key, itemFromJSON(entry, inner, at)]);
      value[field.jsonName] = Object.fromEntries(items);
    } else if (field.repeated) {
      if (!Array.isArray(item)) throw new Error(`${at} must be a list [...]`);
      value[field.jsonName] = item.map((inner, index) => itemFromJSON(field, inner, `${at}[${index}]`));
    } else {
      value[field.jsonName] = itemFromJSON(field, item, at);
    }
  }
  return value;
}

function itemFromJSON(field, json, at) {
  if (field.kind === MESSAGE) return fromJSON(field.type, json, at);
  if (field.kind === ENUM) {
    const number = typeof json === "number" ? json : field.enum?.numbers.get(json);
    const names = [...(field.enum?.numbers.keys() ?? [])];
    if (number === undefined) throw new Error(`${at} must be one of ${names.join(", ")}`);
    return number;
  }
  if (field.kind === BYTES) return Uint8Array.from(atob(String(json)), (character) => character.charCodeAt(0));
  if (field.kind === BOOL || field.kind === STRING) {
    const wanted = field.kind === BOOL ? "boolean" : "string";
    if (typeof json !== wanted) throw new Error(`${at} must be a ${wanted}`);
    return json;
  }
  if (typeof json !== "number" && !/^-?\d+(\.\d+)?$/.test(json)) throw new Error(`${at} must be a number`);
  return json;
}

function wellKnownFromJSON(type, json, place) {
  if (type.name === "google.protobuf.Timestamp") {
    const time = Date.parse(json);
    if (Number.isNaN(time)) throw new Error(`${place} must be a time such as 2026-01-31T12:00:00Z`);
    return { seconds: Math.floor(time / 1000), nanos: (((time % 1000) + 1000) % 1000) * 1e6 };
  }
  if (type.name === "google.protobuf.Duration") {
    const found = /^(-?\d+)(\.\d+)?s$/.exec(json);
    if (!found) throw new Error(`${place} must be a duration such as 1.5s`);
    return { seconds: Number(found[1]), nanos: Math.round(Number(found[2] ?? 0) * 1e9) };
  }
  if (type.name === "google.protobuf.FieldMask") {
    const paths = String(json).split(",").filter(Boolean);
    return { paths: paths.map((path) => path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)) };
  }
  return undefined;
}

/** A request to begin with: every field of one level, with its default, as text. */
export function template(type) {
  const json = {};
  for (const field of type.fields) {
    if (field.map) json[field.jsonName] = {};
    else if (field.repeated) json[field.jsonName] = [];
    else if (field.kind === MESSAGE) json[field.jsonName] = null;
    else if (field.kind === ENUM) json[field.jsonName] = field.enum?.values.get(0) ?? 0;
    else if (field.kind === BOOL) json[field.jsonName] = false;
    else json[field.jsonName] = field.kind === STRING || field.kind === BYTES ? "" : 0;
  }
  return json;
}
