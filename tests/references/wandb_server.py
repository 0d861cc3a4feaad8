"""A stand-in for a W&B host, on this machine: just enough GraphQL and file_stream for what wandb 0.31 asks.

It keeps what arrives and can be told to fall silent or to refuse. Written from the requests that wandb was seen to
make; no real host was asked. Imports nothing from assay.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "a" * 40


@dataclass
class Run:
    """What the host knows of one run.

    lines: of history, by their offset.
    received: the same lines as often as they were received, in order.
    artifacts: the types of those that were offered; their files are not taken.
    exit_codes: one for every time that the run was ended.
    """

    upsert: dict[str, Any] = field(default_factory=dict)
    lines: dict[int, dict[str, Any]] = field(default_factory=dict)
    received: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    artifacts: list[str] = field(default_factory=list)
    exit_codes: list[int] = field(default_factory=list)


class Server:
    """A context manager; ``url`` is its address.

    ``answers`` says how each kind of request is met: True as a host would, a number by that status, None not at all.
    Kinds: ``viewer`` (who owns the key), ``graphql`` (all else), ``stream`` (points), ``upload`` (files).
    """

    def __init__(self) -> None:
        self.answers: dict[str, bool | int | None] = {"viewer": True, "graphql": True, "stream": True, "upload": True}
        self.runs: dict[str, Run] = {}
        self.requests: list[tuple[str, bytes]] = []
        self.closing = threading.Event()
        self.changed = threading.Condition()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Server:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    def wait_for(self, true: Any, seconds: float = 20.0) -> bool:
        """Waits until ``true(self)`` holds; whether it came to hold."""
        with self.changed:
            return self.changed.wait_for(lambda: true(self), seconds)

    def graphql(self, asked: dict[str, Any]) -> dict[str, Any]:
        name, given = asked.get("operationName"), asked.get("variables") or {}
        owner = {"id": "e", "name": "someone"}
        project = {"id": "p", "name": given.get("project") or given.get("projectName") or "", "entity": owner}
        if name == "Viewer":
            teams = {"edges": []}
            me = {"id": "v", "entity": "someone", "username": "someone", "email": "", "flags": "{}", "teams": teams}
            return {"viewer": me}
        if name == "RunResumeStatus":
            run = self.runs.get(given["name"])
            return {"model": {**project, "bucket": self._bucket(given["name"], run, project) if run else None}}
        if name == "UpsertBucket":
            new = given["name"] not in self.runs
            run = self.runs.setdefault(given["name"], Run())
            run.upsert |= {key: value for key, value in given.items() if value is not None}
            return {"upsertBucket": {"bucket": self._bucket(given["name"], run, project), "inserted": new}}
        if name == "CreateRunFiles":
            files = [{"name": file, "uploadUrl": f"{self.url}/upload/{given['run']}/{file}"} for file in given["files"]]
            return {"createRunFiles": {"runID": "s", "uploadHeaders": [], "files": files}}
        if name == "CreateArtifact":  # taken for one that the host has already, so that its files are not asked for
            self.runs[given["input"]["runName"]].artifacts.append(given["input"]["artifactTypeName"])
            held = {"id": "a", "state": "COMMITTED", "artifactSequence": {"latestArtifact": {"id": "a"}}}
            return {"createArtifact": {"artifact": held}}
        return {"project": {"artifact": None}, "serverInfo": {"features": []}}

    @staticmethod
    def _bucket(name: str, run: Run, project: dict[str, Any]) -> dict[str, Any]:
        config = run.upsert.get("config", "{}")
        tail = [json.dumps(run.lines[max(run.lines)])] if run.lines else []
        return {
            "id": f"storage-{name}",
            "name": name,
            "displayName": run.upsert.get("displayName"),
            "description": "",
            "config": config,
            "sweepName": None,
            "project": project,
            "summaryMetrics": json.dumps(run.summary),
            "logLineCount": 0,
            "historyLineCount": len(run.lines),
            "eventsLineCount": 0,
            "historyTail": json.dumps(tail),
            "eventsTail": "[]",
            "tags": run.upsert.get("tags") or [],
            "notes": None,
            # wandb takes a run without this for one that was made but never started, and does not resume it
            "wandbConfig": json.dumps({"t": json.loads(config).get("_wandb", {}).get("value", {}).get("t")}),
        }

    def stream(self, name: str, sent: dict[str, Any]) -> None:
        run = self.runs[name]
        for file, part in (sent.get("files") or {}).items():
            if file == "wandb-history.jsonl":
                lines = [json.loads(line) for line in part["content"]]
                run.lines |= dict(enumerate(lines, start=part["offset"]))
                run.received += lines
            elif file == "wandb-summary.json":
                run.summary = json.loads(part["content"][-1])
        if sent.get("complete"):
            run.exit_codes.append(sent["exitcode"])


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _meet(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = json.loads(body) if self.path == "/graphql" else {}
            parts = self.path.strip("/").split("/")
            if self.path == "/graphql":
                kind = "viewer" if asked.get("operationName") == "Viewer" else "graphql"
            else:
                kind = "stream" if parts[-1] == "file_stream" else "upload"
            with server.changed:
                server.requests.append((f"{self.command} {self.path}", body))
                answer = server.answers[kind]
                found: dict[str, Any] = {}
                if answer is True:
                    if self.path == "/graphql":
                        found = {"data": server.graphql(asked)}
                    elif kind == "stream":
                        server.stream(parts[-2], json.loads(body))
                    elif parts[0] == "upload":
                        server.runs[parts[1]].files["/".join(parts[2:])] = body
                server.changed.notify_all()
            if answer is None:
                server.closing.wait()
                self.close_connection = True
                return
            text = json.dumps(found).encode()
            self.send_response(200 if answer is True else int(answer))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # the other side was ended
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

        do_GET = do_POST = do_PUT = _meet

    return Handler
