// Protobuf from descriptors: a contract is read from a FileDescriptorSet, and messages are plain objects with the
// contract's JSON names. 64-bit numbers are numbers while that is exact, else decimal strings; bytes are Uint8Array.

const DOUBLE = 1, FLOAT = 2, INT64 = 3, UINT64 = 4, INT32 = 5, FIXED64 = 6, FIXED32 = 7, BOOL = 8, STRING = 9,
  MESSAGE = 11, BYTES = 12, UINT32 = 13, ENUM = 14, SFIXED32 = 15, SFIXED64 = 16, SINT32 = 17, SINT64 = 18;

const utf8 = new TextDecoder();
const utf8Encoder = new TextEncoder();

// ------------------------------------------------------------------------------------------------ the contract

/** A hand-made type: what of descriptor.proto is needed to read the rest. */
function handMade(fields) {
  return makeType(
    "", fields.map(([number, jsonName, kind, more = {}]) => ({ number, jsonName, name: jsonName, kind, ...more }))
  );
}

const many = { repeated: true };
const Options = handMade([[7, "mapEntry", BOOL], [34, "idempotencyLevel", ENUM], [33, "deprecated", BOOL]]);
const EnumValue = handMade([[1, "name", STRING], [2, "number", INT32]]);
const EnumType = handMade([[1, "name", STRING], [2, "value", MESSAGE, { ...many, type: EnumValue }]]);
const Field = handMade([
  [1, "name", STRING], [3, "number", INT32], [4, "label", ENUM], [5, "type", ENUM], [6, "typeName", STRING],
  [9, "oneofIndex", INT32], [10, "jsonName", STRING], [17, "proto3Optional", BOOL],
]);
const MessageType = handMade([
  [1, "name", STRING], [2, "field", MESSAGE, { ...many, type: Field }], [
    4, "enumType", MESSAGE, { ...many, type: EnumType }
  ],
  [7, "options", MESSAGE, { type: Options }],
]);
addField(
  MessageType,
  { number: 3, jsonName: "nestedType", name: "nested_type", kind: MESSAGE, repeated: true, type: MessageType }
);
const Method = handMade([
  [1, "name", STRING], [2, "inputType", STRING], [3, "outputType", STRING], [4, "options", MESSAGE, { type: Options }],
  [5, "clientStreaming", BOOL], [6, "serverStreaming", BOOL],
]);
const Service = handMade([[1, "name", STRING], [2, "method", MESSAGE, { ...many, type: Method }]]);
export const FileType = handMade([
  [1, "name", STRING], [2, "package", STRING], [4, "messageType", MESSAGE, { ...many, type: MessageType }],
  [5, "enumType", MESSAGE, { ...many, type: EnumType }], [6, "service", MESSAGE, { ...many, type: Service }],
]);
const FileSet = handMade([[1, "file", MESSAGE, { ...many, type: FileType }]]);

function makeType(name, fields) {
  const type = { name, fields: [], byNumber: new Map(), byName: new Map() };
  for (const field of fields) addField(type, field);
  return type;
}

function addField(type, field) {
  type.fields.push(field);
  type.byNumber.set(field.number, field);
  type.byName.set(field.jsonName, field).set(field.name, field);
}

/** The messages, enums and services of a server. */
export class Contract {
  types = new Map();
  enums = new Map();
  services = new Map();
  #files = new Set();

  /** Adds the files of a serialised FileDescriptorSet. */
  addSet(bytes) {
    this.addFiles(decode(FileSet, bytes).file);
  }

  /** Adds files; those that are known already are skipped. */
  addFiles(files) {
    const fresh = files.filter((file) => !this.#files.has(file.name));
    for (const file of fresh) {
      this.#files.add(file.name);
      this.#declare(file.package, file.messageType, file.enumType);
    }
    for (const file of fresh) {
      this.#link(file.package, file.messageType);
      for (const service of file.service) this.#addService(file.package, service);
    }
  }

  type(name) {
    const type = this.types.get(name);
    if (!type) throw new Error(`the contract has no message ${name}`);
    return type;
  }

  #declare(prefix, messages, enums) {
    for (const message of messages) {
      const name = join(prefix, message.name);
      this.types.set(name, makeType(name, []));
      this.types.get(name).isMapEntry = message.options?.mapEntry ?? false;
      this.#declare(name, message.nestedType, message.enumType);
    }
    for (const found of enums) {
      const name = join(prefix, found.name);
      const values = new Map(found.value.map((value) => [value.number, value.name]));
      this.enums.set(name, { name, values, numbers: new Map(found.value.map((value) => [value.name, value.number])) });
    }
  }

  #link(prefix, messages) {
    for (const message of messages) {
      const name = join(prefix, message.name);
      for (const field of message.field) addField(this.types.get(name), this.#field(field));
      this.#link(name, message.nestedType);
    }
  }

  #field(field) {
    const typeName = field.typeName.replace(/^\./, "");
    const type = this.types.get(typeName);
    const isMap = type?.isMapEntry ?? false;
    return {
      number: field.number, name: field.name, jsonName: field.jsonName || field.name, kind: field.type, type,
      enum: this.enums.get(typeName), repeated: field.label === 3 && !isMap, map: isMap,
      isOptional: field.proto3Optional,
    };
  }

  #addService(prefix, service) {
    const name = join(prefix, service.name);
    const methods = service.method.map((method) => ({
      name: method.name, path: `/${name}/${method.name}`,
      request: this.types.get(method.inputType.slice(1)), response: this.types.get(method.outputType.slice(1)),
      clientStreaming: method.clientStreaming, serverStreaming: method.serverStreaming,
      onlyReads: method.options?.idempotencyLevel === 1,
    }));
    this.services.set(name, { name, methods: new Map(methods.map((method) => [method.name, method])) });
  }
}

const join = (prefix, name) => (prefix ? `${prefix}.${name}` : name);

// ------------------------------------------------------------------------------------------------ bytes -> objects

function zero(field) {
  if (field.repeated) return [];
  if (field.map) return {};
  if (field.kind === MESSAGE || field.isOptional) return null;
  if (field.kind === STRING) return "";
  if (field.kind === BYTES) return new Uint8Array(0);
  return field.kind === BOOL ? false : 0;
}

/** Decodes a message; fields that are absent get their default, unknown ones are skipped. */
export function decode(type, bytes) {
  const value = {};
  for (const field of type.fields) value[field.jsonName] = zero(field);
  const reader = { bytes, at: 0, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
  while (reader.at < bytes.length) {
    const tag = Number(readVarint(reader));
    const raw = readRaw(reader, tag & 7);
    const field = type.byNumber.get(Math.floor(tag / 8));
    if (field) store(value, field, raw, tag & 7);
  }
  return value;
}

function store(value, field, raw, wireType) {
  if (field.map) {
    const entry = decode(field.type, raw);
    value[field.jsonName][entry.key] = entry.value;
  } else if (!field.repeated) {
    value[field.jsonName] = convert(field, raw);
  } else if (wireType === 2 && ![STRING, BYTES, MESSAGE].includes(field.kind)) {
    const packed = { bytes: raw, at: 0, view: new DataView(raw.buffer, raw.byteOffset, raw.byteLength) };
    while (packed.at < raw.length) value[field.jsonName].push(convert(field, readRaw(packed, wireTypeOf(field.kind))));
  } else {
    value[field.jsonName].push(convert(field, raw));
  }
}

function convert(field, raw) {
  switch (field.kind) {
    case MESSAGE: return decode(field.type, raw);
    case STRING: return utf8.decode(raw);
    case BOOL: return raw !== 0n;
    case INT64: case SFIXED64: return exact(BigInt.asIntN(64, raw));
    case UINT64: case FIXED64: return exact(raw);
    case INT32: case ENUM: return Number(BigInt.asIntN(32, raw));
    case SFIXED32: return Number(BigInt.asIntN(32, raw));
    case SINT32: case SINT64: return exact((raw >> 1n) ^ -(raw & 1n));
    case DOUBLE: return bits(raw, 8).getFloat64(0);
    case FLOAT: return bits(raw, 4).getFloat32(0);
    default: return typeof raw === "bigint" ? Number(raw) : raw;
  }
}

function bits(raw, count) {
  const view = new DataView(new ArrayBuffer(count));
  if (count === 8) view.setBigUint64(0, raw);
  else view.setUint32(0, Number(raw));
  return view;
}

const exact = (big) => (Number.isSafeInteger(Number(big)) ? Number(big) : big.toString());

function readVarint(reader) {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined) break;
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return BigInt.asUintN(64, value);
  }
  throw new Error("the answer is not protobuf");
}

function readRaw(reader, wireType) {
  if (wireType === 0) return readVarint(reader);
  const length = { 1: 8, 5: 4 }[wireType] ?? (wireType === 2 ? Number(readVarint(reader)) : NaN);
  if (!(reader.at + length <= reader.bytes.length)) throw new Error("the answer is not protobuf");
  const start = reader.at;
  reader.at += length;
  if (wireType === 1) return reader.view.getBigUint64(start, true);
  if (wireType === 5) return BigInt(reader.view.getUint32(start, true));
  return reader.bytes.subarray(start, reader.at);
}

// ------------------------------------------------------------------------------------------------ objects -> bytes

function wireTypeOf(kind) {
  if ([DOUBLE, FIXED64, SFIXED64].includes(kind)) return 1;
  if ([FLOAT, FIXED32, SFIXED32].includes(kind)) return 5;
  return [STRING, BYTES, MESSAGE].includes(kind) ? 2 : 0;
}

/** Encodes the fields that are there and not their default. */
export function encode(type, value) {
  const bytes = [];
  for (const field of type.fields) {
    const found = value[field.jsonName];
    if (found === undefined || found === null) continue;
    if (field.map) {
      for (const [key, item] of Object.entries(found)) writeField(
        bytes, { ...field, map: false }, { key, value: item }
      );
    } else if (field.repeated) {
      for (const item of found) writeField(bytes, field, item);
    } else if (field.kind === MESSAGE || field.isOptional || !isZero(found)) {
      writeField(bytes, field, found);
    }
  }
  return Uint8Array.from(bytes);
}

const isZero = (value) => value === 0 || value === "" || value === false || value.length === 0;

function writeField(bytes, field, value) {
  const wireType = wireTypeOf(field.kind);
  writeVarint(bytes, BigInt(field.number) << 3n | BigInt(wireType));
  if (wireType === 2) {
    const payload = field.kind === MESSAGE ? encode(field.type, value)
      : field.kind === STRING ? utf8Encoder.encode(value) : value;
    writeVarint(bytes, BigInt(payload.length));
    for (const byte of payload) bytes.push(byte);
  } else if (wireType === 0) {
    writeVarint(bytes, varintOf(field.kind, value));
  } else {
    const view = new DataView(new ArrayBuffer(wireType === 1 ? 8 : 4));
    if (field.kind === DOUBLE) view.setFloat64(0, value, true);
    else if (field.kind === FLOAT) view.setFloat32(0, value, true);
    else if (wireType === 1) view.setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
    else view.setUint32(0, Number(value) >>> 0, true);
    bytes.push(...new Uint8Array(view.buffer));
  }
}

function varintOf(kind, value) {
  const big = BigInt(value);
  if (kind === SINT32 || kind === SINT64) return BigInt.asUintN(64, (big << 1n) ^ (big >> 63n));
  return BigInt.asUintN(64, big);
}

function writeVarint(bytes, value) {
  while (value > 127n) {
    bytes.push(Number(value & 127n) | 128);
    value >>= 7n;
  }
  bytes.push(Number(value));
}
