// What the contract's comments say of methods and fields: from the server's OpenAPI document, which asks for no key.

let loading = null;

/** Methods by name, and fields by message and JSON name; empty when the server has no such document. */
export function descriptions() {
  loading ??= fetch("/v1/openapi.json").then(
    (response) => (response.ok ? response.json() : {})
  ).then(read, () => read({}));
  return loading;
}

function read(document) {
  const methods = new Map();
  for (const operation of Object.values(document.paths ?? {}).flatMap(Object.values)) {
    // Resources begin with a small letter; the methods themselves are called as in the contract.
    if (!/^[A-Z]/.test(operation.operationId)) continue;
    const { summary, description, requestBody } = operation;
    methods.set(
      operation.operationId, { summary, description, example: requestBody?.content["application/json"].example }
    );
  }
  const schemas = document.components?.schemas ?? {};
  return { methods, field: (type, name) => schemas[type]?.properties?.[name]?.description ?? "" };
}
