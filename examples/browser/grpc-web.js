// gRPC-Web with nothing but fetch: frames, trailers, and as much protobuf as this example needs.
// What the bytes mean is in docs/protocol.md.

/** A call that ended with another status than OK. */
export class CallFailed extends Error {
  constructor(code, message) {
    super(`${STATUS_NAMES[code] ?? code}: ${message}`);
    this.code = code;
  }
}

const STATUS_NAMES = [
  "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
  "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
];

/**
 * Calls a method and yields its messages as they arrive: one for a unary method, any number for a stream.
 *
 * `url` is the server's, `path` is `/package.Service/Method`, `request` the encoded message, `headers` more headers
 * such as `x-api-key`, `signal` an AbortSignal that cancels the call.
 */
export async function* call(url, path, request, { headers = {}, signal } = {}) {
  const response = await fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/grpc-web+proto", "x-grpc-web": "1", ...headers },
    body: frame(request),
    signal,
  });
  if (!response.ok) throw new CallFailed(2, `HTTP ${response.status}`);
  let trailers = null;
  for await (const { flags, payload } of frames(response.body)) {
    if (flags & 0x80) trailers = readTrailers(payload);
    else yield payload;
  }
  const field = (name) => (trailers ? trailers.get(name) : response.headers.get(name));
  const status = field("grpc-status");
  if (status === null || status === undefined) throw new CallFailed(13, "the answer ended without a status");
  if (status !== "0") throw new CallFailed(Number(status), decodePercent(field("grpc-message") ?? ""));
}

/** One message as a frame: a flag byte, the length in four bytes, the message. */
function frame(message) {
  const bytes = new Uint8Array(5 + message.length);
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, 5);
  return bytes;
}

/** Cuts a body, however it arrives, into frames. */
async function* frames(body) {
  const reader = body.getReader();
  let buffer = new Uint8Array(0);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const joined = new Uint8Array(buffer.length + value.length);
      joined.set(buffer);
      joined.set(value, buffer.length);
      let at = 0;
      while (joined.length - at >= 5) {
        const length = new DataView(joined.buffer, joined.byteOffset + at).getUint32(1);
        if (joined.length - at - 5 < length) break;
        yield { flags: joined[at], payload: joined.subarray(at + 5, at + 5 + length) };
        at += 5 + length;
      }
      buffer = joined.subarray(at);
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
  if (buffer.length > 0) throw new CallFailed(13, "the answer ended inside of a frame");
}

function readTrailers(payload) {
  const lines = new TextDecoder().decode(payload).split("\r\n").filter((line) => line);
  return new Map(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
}

function decodePercent(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// ------------------------------------------------------------------------------------------------ protobuf
// A message type is an object {fieldName: [number, kind]}; kind is "int", "bool", "string" or a message type;
// [number, kind, true] is a repeated field. Unknown fields are skipped.

/** Encodes the fields of `value` that are set. */
export function encode(type, value) {
  const bytes = [];
  for (const [name, [number, kind]] of Object.entries(type)) {
    const field = value[name];
    if (field === undefined || field === "" || field === 0 || field === false) continue;
    if (kind === "int" || kind === "bool") {
      writeVarint(bytes, BigInt(number << 3));
      writeVarint(bytes, BigInt.asUintN(64, BigInt(field)));
    } else {
      const payload = kind === "string" ? new TextEncoder().encode(field) : encode(kind, field);
      writeVarint(bytes, BigInt((number << 3) | 2));
      writeVarint(bytes, BigInt(payload.length));
      for (const byte of payload) bytes.push(byte);
    }
  }
  return Uint8Array.from(bytes);
}

/** Decodes a message; fields that are absent get their default. */
export function decode(type, bytes) {
  const value = {};
  const byNumber = new Map();
  for (const [name, [number, kind, repeated]] of Object.entries(type)) {
    byNumber.set(number, [name, kind, repeated]);
    if (repeated) value[name] = [];
    else if (kind === "int") value[name] = 0;
    else if (kind === "bool") value[name] = false;
    else value[name] = kind === "string" ? "" : null;
  }
  const reader = { bytes, at: 0 };
  while (reader.at < bytes.length) {
    const tag = Number(readVarint(reader));
    const raw = readValue(reader, tag & 7);
    const [name, kind, repeated] = byNumber.get(tag >>> 3) ?? [];
    if (name === undefined) continue;
    const field = convert(kind, raw);
    if (repeated) value[name].push(field);
    else value[name] = field;
  }
  return value;
}

function convert(kind, raw) {
  if (kind === "int") return Number(BigInt.asIntN(64, raw));
  if (kind === "bool") return raw !== 0n;
  return kind === "string" ? new TextDecoder().decode(raw) : decode(kind, raw);
}

function writeVarint(bytes, value) {
  while (value > 127n) {
    bytes.push(Number(value & 127n) | 128);
    value >>= 7n;
  }
  bytes.push(Number(value));
}

function readVarint(reader) {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined) break;
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return value;
  }
  throw new Error("broken protobuf");
}

function readValue(reader, wireType) {
  if (wireType === 0) return readVarint(reader);
  const length = { 1: 8, 5: 4 }[wireType] ?? (wireType === 2 ? Number(readVarint(reader)) : NaN);
  if (!(reader.at + length <= reader.bytes.length)) throw new Error("broken protobuf");
  reader.at += length;
  return reader.bytes.subarray(reader.at - length, reader.at);
}
