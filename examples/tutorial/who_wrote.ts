// Who wrote the lines in this stack trace? `node who_wrote.ts PROJECT < traceback.txt`: gRPC-Web with the typed client
// that `scripts/generate-client typescript` makes; no library. Node 22.18 and later run it as it is.
//
// SCM_GATEWAY_ADDRESS is the server (http://127.0.0.1:8080), SCM_GATEWAY_API_KEY the key.
import { readFileSync } from "node:fs";
import { ScmServiceClient, toDate } from "./scm.ts";

const scm = new ScmServiceClient(process.env.SCM_GATEWAY_ADDRESS ?? "http://127.0.0.1:8080", {
  headers: { "x-api-key": process.env.SCM_GATEWAY_API_KEY ?? "" }, timeout: 30_000,
});

const frames = [...readFileSync(0, "utf8").matchAll(/File "(.+)", line (\d+)/g)].map(([, name, line]) => (
  { filename: name, absPath: name, lineno: Number(line) }
));
const { frames: resolved } = await scm.resolveSourcePath({ projectId: process.argv[2], platform: "python", frames });

const found = resolved.filter((place) => place.path);
const { results, newestIndex } = await scm.batchGetCommitContext({
  maxAgeDays: -1,
  lines: found.map((place) => (
    { repositoryId: place.repositoryId, path: place.path, line: frames[place.frameIndex].lineno }
  )),
});

frames.forEach((frame, index) => {
  const position = found.indexOf(resolved[index]);
  const result = results[position];
  const context = result?.context;
  if (!context || result.status?.code) {
    console.log(`${frame.filename}:${frame.lineno}  ${(result ?? resolved[index]).status?.message ?? ""}`);
    return;
  }
  const words = [
    `${resolved[index].path}:${frame.lineno}`, context.blameCommitId.slice(0, 10),
    context.committedAt ? toDate(context.committedAt).toISOString().slice(0, 10) : "", context.blameAuthor?.name,
    context.commit?.message.split("\n")[0],
  ];
  console.log(words.join("  ") + (position === newestIndex ? "  <- newest" : ""));
});
