/// What every generated TypeScript file begins with: protobuf's bytes and gRPC-Web over `fetch`.
enum TypeScriptRuntime {
    static let text = #"""

        // ------------------------------------------------------------------------------------------ for callers

        /** A message to send: any of its fields, whole numbers of 64 bits also as numbers and texts. */
        export type Init<T> = T extends bigint ? bigint | number | string
          : T extends Uint8Array ? Uint8Array
          : T extends (infer Item)[] ? Init<Item>[]
          : T extends object ? { [Name in keyof T]?: Init<T[Name]> }
          : T;

        export interface ChannelOptions {
          /** Sent with every call, such as `{"x-api-key": key}`. */
          headers?: Record<string, string>;
          /** Milliseconds a call may take; 0 for the server's own limit. */
          timeout?: number;
        }

        export interface CallOptions extends ChannelOptions {
          /** Ends the call, on the server too. */
          signal?: AbortSignal;
        }

        const codes = [
          "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
          "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
          "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
        ];

        /** A call that ended with another status than OK. */
        export class CallError extends Error {
          /** The number of the status. */
          readonly code: number;
          /** Its name, such as `NOT_FOUND`. */
          readonly status: string;
          /** What programs branch on, such as `FILE_NOT_FOUND`; empty when the server does not say. */
          readonly reason: string;
          /** Facts that belong to the reason. */
          readonly metadata: Record<string, string>;

          constructor(code: number, message: string, details?: Uint8Array) {
            super(message || "the server sent no message");
            this.name = "CallError";
            this.code = code;
            this.status = codes[code] ?? `status ${code}`;
            const info = details ? errorInfo(details) : undefined;
            this.reason = info?.reason ?? "";
            this.metadata = info?.metadata ?? {};
          }
        }

        /** A `Timestamp` as JavaScript's Date, to the millisecond. */
        export function toDate(time: { seconds: bigint; nanos: number }): Date {
          return new Date(Number(time.seconds) * 1000 + Math.floor(time.nanos / 1e6));
        }

        /** The server that a client calls, such as `http://127.0.0.1:8080`. */
        export class Channel {
          readonly #address: string;
          readonly #options: ChannelOptions;

          constructor(address: string, options: ChannelOptions = {}) {
            this.#address = address.replace(/\/$/, "");
            this.#options = options;
          }

          protected async unary<T>(
            path: string, input: string, request: object, result: string, options: CallOptions,
          ): Promise<T> {
            let answer: T | undefined;
            for await (const message of this.stream<T>(path, input, request, result, options)) answer = message;
            if (answer === undefined) throw new CallError(13, "the answer has no message");
            return answer;
          }

          protected async *stream<T>(
            path: string, input: string, request: object, result: string, options: CallOptions,
          ): AsyncGenerator<T> {
            const timeout = options.timeout ?? this.#options.timeout ?? 0;
            const abort = new AbortController();
            const end = () => abort.abort();
            options.signal?.addEventListener("abort", end);
            if (options.signal?.aborted) end();
            // The server's own status arrives first, if it can.
            const timer = timeout > 0 ? setTimeout(end, timeout + 1000) : undefined;
            try {
              const response = await fetch(this.#address + path, {
                method: "POST", body: frame(encode(input, request)), signal: abort.signal,
                headers: {
                  "content-type": "application/grpc-web+proto", "x-grpc-web": "1",
                  ...(timeout > 0 ? { "grpc-timeout": `${Math.ceil(timeout)}m` } : {}),
                  ...this.#options.headers, ...options.headers,
                },
              });
              if (!response.ok || !response.body) throw new CallError(2, `HTTP ${response.status}`);
              let trailers: Map<string, string> | undefined;
              for await (const [flags, payload] of frames(response.body.getReader())) {
                if (flags & 0x80) trailers = readTrailers(payload);
                else yield decode(result, payload) as T;
              }
              const field = (name: string) => (trailers ? trailers.get(name) : response.headers.get(name)) ?? "";
              const status = field("grpc-status");
              if (status === "") throw new CallError(14, "the answer ended without a status");
              if (status === "0") return;
              const details = field("grpc-status-details-bin");
              const known = details ? fromBase64(details) : undefined;
              throw new CallError(Number(status), unescape(field("grpc-message")), known);
            } catch (error) {
              if (error instanceof CallError) throw error;
              if (options.signal?.aborted) throw new CallError(1, "the caller ended the call");
              if (abort.signal.aborted) throw new CallError(4, `no answer within ${timeout} ms`);
              throw new CallError(14, `the server cannot be reached: ${String(error)}`);
            } finally {
              clearTimeout(timer);
              options.signal?.removeEventListener("abort", end);
              // A caller that leaves a stream early ends it.
              end();
            }
          }
        }

        // ------------------------------------------------------------------------------------------ gRPC-Web

        function frame(message: Uint8Array): Uint8Array {
          const bytes = new Uint8Array(5 + message.length);
          new DataView(bytes.buffer).setUint32(1, message.length);
          bytes.set(message, 5);
          return bytes;
        }

        type BodyReader = { read(): Promise<{ done: boolean; value?: Uint8Array }> };

        async function* frames(reader: BodyReader): AsyncGenerator<[number, Uint8Array]> {
          let bytes = new Uint8Array(0);
          for (;;) {
            while (bytes.length >= 5) {
              const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
              if (bytes.length < 5 + length) break;
              yield [bytes[0], bytes.subarray(5, 5 + length)];
              bytes = bytes.subarray(5 + length);
            }
            const { done, value } = await reader.read();
            if (done) break;
            if (!value) continue;
            const joined = new Uint8Array(bytes.length + value.length);
            joined.set(bytes);
            joined.set(value, bytes.length);
            bytes = joined;
          }
          if (bytes.length > 0) throw new CallError(14, "the answer ended inside of a message");
        }

        function readTrailers(payload: Uint8Array): Map<string, string> {
          const lines = utf8.decode(payload).split("\r\n").filter((line) => line.includes(":"));
          return new Map(lines.map((line) => {
            const colon = line.indexOf(":");
            return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
          }));
        }

        function unescape(text: string): string {
          try {
            return decodeURIComponent(text);
          } catch {
            return text;
          }
        }

        function fromBase64(text: string): Uint8Array {
          return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
        }

        // google.rpc.Status and the ErrorInfo in it.
        type ErrorInfo = { reason: string; metadata: Record<string, string> };

        function errorInfo(bytes: Uint8Array): ErrorInfo | undefined {
          try {
            const status = decodeRows(statusRows, bytes) as { details: { typeUrl: string; value: Uint8Array }[] };
            const packed = status.details.find((detail) => detail.typeUrl.endsWith("/google.rpc.ErrorInfo"));
            return packed ? decodeRows(infoRows, packed.value) as ErrorInfo : undefined;
          } catch {
            return undefined;
          }
        }

        // ------------------------------------------------------------------------------------------ protobuf

        /** Number, name, kind as in descriptor.proto, flags (1 repeated, 2 presence, 4 map), type. */
        type Row = [number: number, name: string, kind: number, flags?: number, type?: string];
        type Value = number | bigint | string | boolean | Uint8Array | object;

        const utf8 = new TextDecoder();
        const toUTF8 = new TextEncoder();
        let tables: Record<string, Row[]> = {};
        let numbers: Record<string, Record<string, number>> = {};
        const names = new Map<string, Map<number, string>>();
        const pairRows: Row[] = [[1, "key", 9], [2, "value", 9]];
        const anyRows: Row[] = [[1, "typeUrl", 9], [2, "value", 12]];
        const statusRows: Row[] = [[3, "details", 11, 1, "\u0000any"]];
        const infoRows: Row[] = [[1, "reason", 9], [3, "metadata", 11, 4, "\u0000pair"]];

        function link(fields: Record<string, Row[]>, enums: Record<string, Record<string, number>>): void {
          tables = { ...fields, "\u0000any": anyRows, "\u0000pair": pairRows };
          numbers = enums;
          for (const [name, values] of Object.entries(enums)) {
            names.set(name, new Map(Object.entries(values).map(([value, number]) => [number, value])));
          }
        }

        const wireTypes = [0, 1, 5, 0, 0, 0, 1, 5, 0, 2, 3, 2, 2, 0, 0, 5, 1, 0, 0];
        const isZero = (value: Value) => value === 0 || value === 0n || value === "" || value === false
          || (value instanceof Uint8Array && value.length === 0);

        function encode(type: string, message: object): Uint8Array {
          const bytes: number[] = [];
          for (const row of tables[type]) {
            const [, name, kind, flags = 0, typeName = ""] = row;
            const value = (message as Record<string, Value | undefined>)[name];
            if (value === undefined || value === null) continue;
            if (flags & 4) {
              for (const [key, item] of Object.entries(value)) {
                write(bytes, row, { key: mapKey(typeName, key), value: item });
              }
            } else if (flags & 1) {
              for (const item of value as Value[]) write(bytes, row, item);
            } else {
              const isInteger = kind > 2 && wireTypes[kind] !== 2 && kind !== 8;
              const wire = kind === 14 ? enumNumber(typeName, value) : isInteger ? toInteger(value) : value;
              if (flags & 2 || !isZero(wire)) write(bytes, row, value);
            }
          }
          return Uint8Array.from(bytes);
        }

        const mapKey = (type: string, key: string): Value => (tables[type][0][2] === 8 ? key === "true" : key);

        function toInteger(value: Value): bigint {
          return BigInt(value as number | bigint | string);
        }

        function enumNumber(type: string, value: Value): number {
          const number = typeof value === "number" ? value : numbers[type]?.[value as string];
          if (number === undefined) throw new CallError(3, `${type} has no value ${String(value)}`);
          return number;
        }

        function write(bytes: number[], [number, , kind, , type = ""]: Row, value: Value): void {
          const wireType = wireTypes[kind];
          writeVarint(bytes, BigInt(number * 8 + wireType));
          if (wireType === 2) {
            const payload = kind === 11 ? encode(type, value as object)
              : kind === 9 ? toUTF8.encode(value as string) : value as Uint8Array;
            writeVarint(bytes, BigInt(payload.length));
            for (const byte of payload) bytes.push(byte);
          } else if (wireType === 0) {
            writeVarint(bytes, varint(kind, type, value));
          } else {
            const view = new DataView(new ArrayBuffer(wireType === 1 ? 8 : 4));
            if (kind === 1) view.setFloat64(0, value as number, true);
            else if (kind === 2) view.setFloat32(0, value as number, true);
            else if (wireType === 1) view.setBigUint64(0, BigInt.asUintN(64, toInteger(value)), true);
            else view.setUint32(0, Number(BigInt.asUintN(32, toInteger(value))), true);
            for (let index = 0; index < view.byteLength; index++) bytes.push(view.getUint8(index));
          }
        }

        function varint(kind: number, type: string, value: Value): bigint {
          if (kind === 8) return value ? 1n : 0n;
          const integer = kind === 14 ? BigInt(enumNumber(type, value)) : toInteger(value);
          return BigInt.asUintN(64, kind === 17 || kind === 18 ? (integer << 1n) ^ (integer >> 63n) : integer);
        }

        function writeVarint(bytes: number[], value: bigint): void {
          while (value > 127n) {
            bytes.push(Number(value & 127n) | 128);
            value >>= 7n;
          }
          bytes.push(Number(value));
        }

        class Reader {
          readonly bytes: Uint8Array;
          at = 0;

          constructor(bytes: Uint8Array) {
            this.bytes = bytes;
          }

          varint(): bigint {
            let value = 0n;
            for (let shift = 0n; shift < 70n && this.at < this.bytes.length; shift += 7n) {
              const byte = this.bytes[this.at++];
              value |= BigInt(byte & 127) << shift;
              if (byte < 128) return BigInt.asUintN(64, value);
            }
            throw new CallError(13, "the answer is not protobuf");
          }

          /** The bytes of a fixed number or of something with a length. */
          take(wireType: number): Uint8Array {
            const count = wireType === 1 ? 8 : wireType === 5 ? 4 : wireType === 2 ? Number(this.varint()) : NaN;
            if (!(this.at + count <= this.bytes.length)) throw new CallError(13, "the answer is not protobuf");
            this.at += count;
            return this.bytes.subarray(this.at - count, this.at);
          }
        }

        const decode = (type: string, bytes: Uint8Array): object => decodeRows(tables[type], bytes);

        function decodeRows(rows: Row[], bytes: Uint8Array): object {
          const message: Record<string, Value> = {};
          for (const [, name, kind, flags = 0, type = ""] of rows) {
            if (flags & 4) message[name] = {};
            else if (flags & 1) message[name] = [];
            else if (!(flags & 2)) message[name] = zero(kind, type);
          }
          const reader = new Reader(bytes);
          while (reader.at < bytes.length) {
            const tag = Number(reader.varint());
            const row = rows.find((row) => row[0] === Math.floor(tag / 8));
            const wireType = tag & 7;
            if (!row) {
              if (wireType === 0) reader.varint();
              else reader.take(wireType);
              continue;
            }
            const [, name, kind, flags = 0, type = ""] = row;
            if (flags & 4) {
              const entry = decode(type, reader.take(2)) as { key: Value; value: Value };
              (message[name] as Record<string, Value>)[String(entry.key)] = entry.value;
            } else if (flags & 1 && wireType === 2 && wireTypes[kind] !== 2) {
              const packed = new Reader(reader.take(2));
              const list = message[name] as Value[];
              while (packed.at < packed.bytes.length) list.push(read(packed, wireTypes[kind], kind, type));
            } else {
              const value = read(reader, wireType, kind, type);
              if (flags & 1) (message[name] as Value[]).push(value);
              else message[name] = value;
            }
          }
          return message;
        }

        const isLong = (kind: number) => [3, 4, 6, 16, 18].includes(kind);

        function zero(kind: number, type: string): Value {
          if (kind === 9) return "";
          if (kind === 12) return new Uint8Array(0);
          if (kind === 8) return false;
          return kind === 14 ? names.get(type)?.get(0) ?? 0 : isLong(kind) ? 0n : 0;
        }

        function read(reader: Reader, wireType: number, kind: number, type: string): Value {
          if (wireType === 0) {
            const raw = reader.varint();
            if (kind === 8) return raw !== 0n;
            if (kind === 17 || kind === 18) {
              const signed = (raw >> 1n) ^ -(raw & 1n);
              return kind === 18 ? signed : Number(signed);
            }
            if (kind === 4) return raw;
            if (kind === 3) return BigInt.asIntN(64, raw);
            const number = kind === 13 ? Number(BigInt.asUintN(32, raw)) : Number(BigInt.asIntN(32, raw));
            return kind === 14 ? names.get(type)?.get(number) ?? number : number;
          }
          const bytes = reader.take(wireType);
          if (kind === 11) return decode(type, bytes);
          if (kind === 9) return utf8.decode(bytes);
          if (kind === 12) return bytes.slice();
          const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
          switch (kind) {
            case 1: return view.getFloat64(0, true);
            case 2: return view.getFloat32(0, true);
            case 6: return view.getBigUint64(0, true);
            case 16: return view.getBigInt64(0, true);
            case 7: return view.getUint32(0, true);
            case 15: return view.getInt32(0, true);
            default: throw new CallError(13, "the answer is not protobuf");
          }
        }
        """#
}
