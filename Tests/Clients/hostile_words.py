"""Words that mean more than a word to git, a shell, a file system, a database or an HTTP client."""

from pathlib import Path


def words(canary: Path, port: int) -> list[str]:
    """`canary` is a folder in which nothing must appear, `port` one of this machine to which nothing must connect."""
    run = f"touch {canary}/ran"
    return [
        # options
        "-", "--", "--end-of-options", "--all", f"--output={canary}/x", f"-o{canary}/x", f"--upload-pack={run}",
        f"-u{run}",
        f"--exec={run}", f"-ccore.fsmonitor={run}", f"-c core.sshCommand={run}", f"-O{run}", "-S/etc/passwd",
        "-f/etc/passwd",
        f"--open-files-in-pager={run}", "--contents=/etc/passwd", "--no-index", "--git-dir=/",
        f"--config=core.editor={run}",
        # shells
        f"$({run})", f"`{run}`", f";{run};", f"|{run}", f"a\n{run}\n", f"'; {run}; '", "%s%n", "${IFS}",
        # paths
        ".", "..", "../../../../etc/passwd", "a/../../../etc/passwd", "/etc/passwd", "//etc/passwd", "~root/x",
        ".git/config",
        "..\\..\\etc", "C:\\x", "%2e%2e%2fetc", f"{canary}/x", f"file://{canary}/x",
        # revisions and pathspecs
        ":(top)", ":(glob)**", ":(attr:x)a", ":/", ":!a", "refs/../HEAD", "refs/heads/../../config", "@{-1}",
        "@{upstream}",
        "HEAD^{/regex}", "HEAD^{}", "HEAD~1", "HEAD:a.txt", "main..main", "^main", "refs/heads/*", "HEAD@{1}",
        "stash@{0}",
        # lines and bytes
        "a\0b", "a\ncontents HEAD\n", "a\r\nb", "\x1b[31m", "\x7f", "\ufeff", "\u202e", "e\u0301", "\U0010ffff",
        # expressions and statements
        "(" * 300, "(a*)*$", "[[:x:]]", "a{1,9999}{1,9999}", "\\", "*" * 60, "?" * 60, "' OR 1=1 --",
        '"; DROP TABLE repositories',
        # addresses
        f"ext::{run}", "fd::17", "file:///etc", f"http://127.0.0.1:{port}/x.git", f"http://localhost:{port}/x.git",
        f"http://[::1]:{port}/x.git", f"http://[::ffff:127.0.0.1]:{port}/x.git", f"http://0.0.0.0:{port}/x.git",
        f"http://0x7f000001:{port}/x.git", f"http://2130706433:{port}/x.git", f"http://127.1:{port}/x.git",
        f"http://[64:ff9b::7f00:1]:{port}/x.git", f"http://[2002:7f00:1::]:{port}/x.git",
        f"ssh://127.0.0.1:{port}/x.git",
        "http://169.254.169.254/latest/meta-data", "http://[fd00:ec2::254]/x", "http://10.0.0.1/x",
        "http://100.64.0.1/x",
        f"https://user:secret@127.0.0.1:{port}/x.git", f"http://example.org@127.0.0.1:{port}/x.git",
        f"http://127.0.0.1:{port}#@example.org/x.git", f"http://127.0.0.1:{port}\\@example.org/x",
        f"git://127.0.0.1:{port}/x",
        f"ssh://-oProxyCommand={run}/x", f"-oProxyCommand={run}:x", f"ssh://127.0.0.1:{port}/-x",
        # size
        "x" * 100_000, "/" * 5000, "a/" * 3000,
    ]
