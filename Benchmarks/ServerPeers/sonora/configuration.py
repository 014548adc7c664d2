"""gunicorn's settings: one worker, because there is one core; threads, because only that kind keeps connections."""

import sys

bind = "127.0.0.1:0"
workers = 1
worker_class = "gthread"
threads = 1
keepalive = 600
timeout = 600
loglevel = "critical"
control_socket_disable = True


def when_ready(server):
    print(f"ready {server.LISTENERS[0].sock.getsockname()[1]}", file=sys.stdout, flush=True)
