// gRPC-Web over fetch, with streamed answers. The bytes are explained in docs/protocol.md.
import { decode, encode } from "./protobuf.js";

const STATUS_NAMES = [
  "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
  "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
];

/** A call that ended with another status than OK. */
export class CallFailed extends Error {
  constructor(code, message) {
    super(message || "no message");
    this.code = code;
    this.status = STATUS_NAMES[code] ?? `status ${code}`;
  }
}

/** Calls of one server, in the name of one key, which lives in this object only. */
export class Channel {
  #key;

  constructor(contract, key) {
    this.contract = contract;
    this.#key = key;
  }

  /** The messages of an answer, as they arrive: one of a unary method, any number of a stream. */
  async *call(method, request, { signal, timeoutSeconds = 60 } = {}) {
    const response = await fetch(method.path, {
      method: "POST",
      headers: {
        "content-type": "application/grpc-web+proto", "x-grpc-web": "1", "x-api-key": this.#key,
        "grpc-timeout": `${timeoutSeconds}S`,
      },
      body: frame(encode(method.request, request)),
      signal, credentials: "omit", cache: "no-store",
    });
    if (!response.ok) throw new CallFailed(2, `HTTP ${response.status}: ${(await response.text()).slice(0, 300)}`);
    let trailers = null;
    for await (const { flags, payload } of frames(response.body)) {
      if (flags & 0x80) trailers = readTrailers(payload);
      else yield decode(method.response, payload);
    }
    const field = (name) => (trailers ? trailers.get(name) : response.headers.get(name));
    const status = field("grpc-status");
    if (status === null || status === undefined) throw new CallFailed(14, "the answer ended without a status");
    if (status !== "0") throw new CallFailed(Number(status), decodePercent(field("grpc-message") ?? ""));
  }

  /** The only message of an answer. */
  async unary(method, request, options) {
    let answer = null;
    for await (const message of this.call(method, request, options)) answer = message;
    if (answer === null) throw new CallFailed(13, "the answer has no message");
    return answer;
  }
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
  let pieces = [], count = 0, wanted = 5;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      pieces.push(value);
      count += value.length;
      // Joined only when a frame may be whole: a long message in small pieces is not copied again and again.
      if (count < wanted) continue;
      const bytes = join(pieces, count);
      let at = 0;
      wanted = 5;
      while (bytes.length - at >= 5) {
        const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(1);
        wanted = 5 + length;
        if (bytes.length - at < wanted) break;
        yield { flags: bytes[at], payload: bytes.subarray(at + 5, at + wanted) };
        at += wanted;
        wanted = 5;
      }
      pieces = [bytes.subarray(at)];
      count = bytes.length - at;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
  if (count > 0) throw new CallFailed(14, "the answer ended inside of a message");
}

function join(pieces, count) {
  if (pieces.length === 1) return pieces[0];
  const bytes = new Uint8Array(count);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
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
