// Who wrote the lines in this stack trace? `node who_wrote.ts PROJECT < traceback.txt`: TypeScript as node 22.18 and
// later run it, JSON over plain HTTP, no library.
//
// SCM_GATEWAY_ADDRESS is the server (http://127.0.0.1:8080), SCM_GATEWAY_API_KEY the key.
import { readFileSync } from "node:fs";

type Status = { code?: number; message?: string };
type Resolved = { frameIndex?: number; path?: string; repositoryId?: string; status?: Status };
type Context = {
  blameCommitId: string; committedAt: string; blameAuthor: { name: string }; commit: { message: string };
};
type Blamed = { status?: Status; context?: Context };

const address = process.env.SCM_GATEWAY_ADDRESS ?? "http://127.0.0.1:8080";

async function call<Answer>(method: string, request: object): Promise<Answer> {
  const response = await fetch(`${address}/v1/${method}`, {
    method: "POST", body: JSON.stringify(request), signal: AbortSignal.timeout(30_000),
    headers: { "content-type": "application/json", "x-api-key": process.env.SCM_GATEWAY_API_KEY ?? "" },
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.title}: ${answer.detail}`);
  return answer as Answer;
}

const frames = [...readFileSync(0, "utf8").matchAll(/File "(.+)", line (\d+)/g)].map(([, name, line]) => (
  { filename: name, absPath: name, lineno: Number(line) }
));
const { frames: resolved } = await call<{ frames: Resolved[] }>(
  "ResolveSourcePath", { projectId: process.argv[2], platform: "python", frames },
);

const found = resolved.filter((place) => place.path);
const { results, newestIndex = 0 } = await call<{ results: Blamed[]; newestIndex?: number }>("BatchGetCommitContext", {
  maxAgeDays: -1,
  lines: found.map((place) => (
    { repositoryId: place.repositoryId, path: place.path, line: frames[place.frameIndex ?? 0].lineno }
  )),
});

frames.forEach((frame, index) => {
  const position = found.indexOf(resolved[index]);
  const result = results[position];
  if (!result?.context || result.status?.code) {
    console.log(`${frame.filename}:${frame.lineno}  ${(result ?? resolved[index]).status?.message ?? ""}`);
    return;
  }
  const { blameCommitId, committedAt, blameAuthor, commit } = result.context;
  const words = [
    `${resolved[index].path}:${frame.lineno}`, blameCommitId.slice(0, 10), committedAt.slice(0, 10), blameAuthor.name,
    commit.message.split("\n")[0],
  ];
  console.log(words.join("  ") + (position === newestIndex ? "  <- newest" : ""));
});
