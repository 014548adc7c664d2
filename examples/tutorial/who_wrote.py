"""Who wrote the lines in this stack trace? `who_wrote.py PROJECT < traceback.txt`, with grpcio.

SCM_GATEWAY_ADDRESS is the server (http://127.0.0.1:8080), SCM_GATEWAY_API_KEY the key.
"""

import os
import re
import sys

import grpc
from sentry.integrations.scm.v1 import scm_pb2, scm_pb2_grpc

address = os.environ.get("SCM_GATEWAY_ADDRESS", "http://127.0.0.1:8080").removeprefix("http://")
key = [("x-api-key", os.environ["SCM_GATEWAY_API_KEY"])]
scm = scm_pb2_grpc.ScmServiceStub(grpc.insecure_channel(address))

frames = [
    scm_pb2.StackFrame(filename=name, abs_path=name, lineno=int(line))
    for name, line in re.findall(r'File "(.+)", line (\d+)', sys.stdin.read())
]
request = scm_pb2.ResolveSourcePathRequest(project_id=int(sys.argv[1]), platform="python", frames=frames)
resolved = scm.ResolveSourcePath(request, metadata=key, timeout=30).frames

found = [frame for frame in resolved if frame.path]
lines = [
    scm_pb2.BlameLine(repository_id=frame.repository_id, path=frame.path, line=frames[frame.frame_index].lineno)
    for frame in found
]
request = scm_pb2.BatchGetCommitContextRequest(lines=lines, max_age_days=-1)
blame = scm.BatchGetCommitContext(request, metadata=key, timeout=30)

results = {frame.frame_index: (index, blame.results[index]) for index, frame in enumerate(found)}
for index, (frame, place) in enumerate(zip(frames, resolved)):
    position, result = results.get(index, (-1, None))
    if result is None or result.status.code:
        print(f"{frame.filename}:{frame.lineno}  {(result or place).status.message}")
        continue
    context = result.context
    words = [
        f"{place.path}:{frame.lineno}", context.blame_commit_id[:10], context.committed_at.ToJsonString()[:10],
        context.blame_author.name, context.commit.message.split("\n")[0],
    ]
    print("  ".join(words) + ("  <- newest" if position == blame.newest_index else ""))
