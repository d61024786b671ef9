"""A small OpenAI-compatible server on 127.0.0.1 for tests: it answers by rule or from a model, and can fail."""

from __future__ import annotations

import json
import random
import re
import threading
import time
import zlib
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BOS = 1
WORDS = "they he she kind doctor book bread rain went home and said".split()


class RuleModel:
    """Words are tokens; log-probs and continuations are functions of the text."""

    def cut(self, text):
        """(ids, names, log-probs) of the tokens of a text, without BOS."""
        names = re.findall(r"\s*\w+|\s*[^\w\s]|\s+", text)
        ids = [10 + zlib.crc32(name.encode()) % 2**30 for name in names]
        return ids, names, [-1.0 - (number + place) % 97 / 50 for place, number in enumerate(ids)]

    def write(self, text, tokens, temperature, seed):
        """(text, tokens, finish) of a continuation."""
        rng = random.Random(f"{text} {seed if temperature else 'greedy'}")
        count = rng.randint(1, 2 * tokens)
        drawn = min(count, tokens)
        return "".join(f" {rng.choice(WORDS)}" for _ in range(drawn)), drawn, "stop" if count < tokens else "length"


class Double:
    """The server.

    Attributes:
        asked: bodies of all completion requests, in order of arrival.
        headers: headers of all requests.
        most: the largest number of requests at once.
        fault: called with the number of a completion request (from 0) and its body; what it returns is done
            instead of answering: None (nothing), (status, headers, body), "drop", "cut" (the body's half), "hang", or
            a function that is given what writes bytes to the client.

    """

    def __init__(self, model=None, *, ways=("prompt_logprobs", "echo"), bos=True, key="", longest=512, name="tiny"):
        self.model, self.ways, self.bos, self.key, self.longest = model or RuleModel(), ways, bos, key, longest
        self.entries = [{"id": name, "object": "model", "created": 1, "root": "/models/tiny", "max_model_len": longest}]
        self.asked, self.headers, self.most, self.under_way = [], [], 0, 0
        # A person's prompts are held (5 s at most) until so many were under way at once, and a little longer.
        self.at_least = 0
        self.strict = False  # refuses fields that OpenAI's interface does not have
        self.two_bos = self.ends = False
        self.named = True  # tells the tokens' texts beside their log-probs
        self.tells = {}  # further fields of each reply
        self.get_fault = lambda path: None  # called with a path; what it returns does the answering
        self.fault = lambda number, body: None
        self.released = threading.Event()
        self._mutex = threading.Lock()
        self._port = 0
        self.start()

    def start(self):
        """Listen, on the same port as before if there was one."""
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                double.get(self)

            def do_POST(self):
                double.post(self)

        class Server(ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 256

            def handle_error(self, request, client_address):
                pass

        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        self.gone = False
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        """Be gone: no new connection is taken, and open ones are answered no more."""
        self.gone = True
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._port}/v1"

    def texts(self):
        """The texts of the requests that arrived since the last call."""
        found, self.asked = [body["prompt"] for body in self.asked], []
        return found

    @staticmethod
    def send(handler, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        for key, value in headers:
            handler.send_header(key, value)
        handler.end_headers()
        handler.wfile.write(data)

    def get(self, handler):
        self.headers.append(dict(handler.headers))
        fault = self.get_fault(handler.path)
        if fault:
            self._do(fault, handler)
        elif handler.path == "/version":
            self.send(handler, 200, {"version": "double/1"})
        elif handler.path != "/v1/models":
            self.send(handler, 404, {"detail": "Not Found"})
        elif self.key and handler.headers.get("Authorization") != f"Bearer {self.key}":
            self.send(handler, 401, {"error": f"wrong key {handler.headers.get('Authorization')}"})
        else:
            self.send(handler, 200, {"object": "list", "data": self.entries})

    @staticmethod
    def _do(fault, handler):
        handler.close_connection = True
        with suppress(OSError):
            fault(handler.wfile.write)

    def _hold(self, body):
        if not str(body["prompt"]).startswith("Person"):
            return
        end = time.monotonic() + 5.0
        while self.most < self.at_least and time.monotonic() < end:
            time.sleep(0.005)
        if self.at_least:
            time.sleep(0.02)  # for one too many to show itself

    def post(self, handler):
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self._mutex:
            number = len(self.asked)
            self.asked.append(body)
            self.headers.append(dict(handler.headers))
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        try:
            self._hold(body)
            fault = self.fault(number, body)
            if isinstance(fault, str) or callable(fault):
                status, headers, answer = 0, (), fault
            elif fault:
                status, headers, answer = fault
            else:
                (status, answer), headers = self.answer(body), ()
        finally:
            with self._mutex:
                self.under_way -= 1
        if self.gone or answer == "drop":
            handler.close_connection = True
            handler.connection.close()
        elif callable(answer):
            self._do(answer, handler)
        elif answer == "hang":
            self.released.wait(30)
            handler.close_connection = True
        elif answer == "cut":
            data = json.dumps(self.answer(body)[1]).encode()
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data[: len(data) // 2])
            handler.close_connection = True
        else:
            self.send(handler, status, answer, headers)

    # -- answers -------------------------------------------------------------------------------------------------------

    def answer(self, body):
        known = {"model", "prompt", "max_tokens", "temperature", "top_p", "n", "stream", "presence_penalty", "seed"}
        known |= {"frequency_penalty", "echo", "logprobs"}
        if body["model"] not in {entry["id"] for entry in self.entries}:
            return 404, {"error": {"message": f"The model {body['model']} does not exist."}}
        if self.strict and body.keys() - known:
            return 400, {"error": {"message": f"Unrecognized request arguments: {sorted(body.keys() - known)}"}}
        prompt = body["prompt"]
        if prompt == "":
            return 400, {"error": {"message": "prompt must be non-empty"}}
        text = "" if prompt == [BOS] else prompt
        before = [(BOS, "<s>", None)] * (1 + self.two_bos) if self.bos or prompt == [BOS] else []
        if not self.bos and isinstance(prompt, str) and prompt.startswith("<s>"):
            before, text = [(BOS, "<s>", None)], prompt.removeprefix("<s>")
        tokens = [*before, *zip(*self.model.cut(text), strict=True)] if text else before
        tokens += [(2, "</s>", -3.0)] * self.ends
        tokens[0] = (*tokens[0][:2], None)
        if len(tokens) >= self.longest:
            return 400, {
                "error": {"message": f"maximum context length is {self.longest} tokens,\nyou gave {len(tokens)}"}
            }
        room = min(body["max_tokens"], self.longest - len(tokens))
        written, count, finish = self.model.write(text, room, body["temperature"], body.get("seed"))
        choice = {"index": 0, "text": written, "finish_reason": finish, "logprobs": None}
        ids, names, values = zip(*tokens, strict=True)
        if "prompt_logprobs" in self.ways and "prompt_logprobs" in body:
            told = [
                None if v is None else {str(i): {"logprob": v} | ({"decoded_token": name} if self.named else {})}
                for i, name, v in zip(ids, names, values, strict=True)
            ]
            choice |= {"prompt_logprobs": told, "prompt_token_ids": ids}
        if body.get("echo") and "echo" in self.ways:
            choice["text"] = text + written
            choice["logprobs"] = {"tokens": [*names, "x"], "token_logprobs": [*values, -0.5]}
        elif "logprobs" in body:
            choice["logprobs"] = {"tokens": ["x"], "token_logprobs": [-0.5]}
        usage = {"prompt_tokens": len(tokens), "completion_tokens": count}
        reply = {"object": "text_completion", "model": body["model"], "choices": [choice], "usage": usage}
        return 200, reply | self.tells
