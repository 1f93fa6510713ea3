#!/usr/bin/env python3
"""Loads examples/service with requests, good ones and bad ones at once, and holds each answer against what one process
computes alone.

    service.py SERVICE ASCRIBE MODEL PACK [SECONDS [PICTURE... -- OPTION...]]

PACK has a composite `ink`. Without pictures, those of the digits beside the model are taken; options are the service's
for other models. `ascribe run` gives the arrays that answers have to equal, but for those options.
"""
import http.client
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

CLIENTS = 8
TYPES = ["image/png", "application/x-npy", "application/json"]


def png(rows):
    """A grey PNG of rows of bytes."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def digit(path):
    values = struct.unpack("<64f", path.read_bytes()[-256:])
    return png([[round(255 * value) for value in values[8 * y:8 * y + 8]] for y in range(8)])


class Server:
    def __init__(self, program, *options):
        self.process = subprocess.Popen([program, "--port", "0", *map(str, options)], stdout=subprocess.PIPE, text=True)
        first = self.process.stdout.readline()
        assert first.startswith("http://127.0.0.1:"), f"the service said {first!r}"
        self.port = int(first.split()[0].rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        assert failure[0] or code == 0, f"the service ended with {code}"

    def resident(self):
        """In MB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def ask(self, body, kind="image/png", query="", connection=None, path="/relevance", **headers):
        own = connection or self.connection()
        own.request("POST", path + query, body, {"Accept": kind, **headers})
        answer = own.getresponse()
        out = answer.status, answer.read(), answer.headers
        if not connection:
            own.close()
        return out

    def health(self):
        return json.loads(self.raw(b"GET /health HTTP/1.1\r\n\r\n")[1])

    def raw(self, *parts, pause=0.0, end=True, seconds=60.0):
        """Bytes as they are; gives the status, 0 where the connection ended without one, and the body."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as own:
            try:
                for part in parts:
                    own.sendall(part)
                    time.sleep(pause)
                if end:
                    own.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the service has heard enough; what it said is still to be read
            got = b""
            try:
                while more := own.recv(1 << 16):
                    got += more
            except OSError:
                pass
        head, _, body = got.partition(b"\r\n\r\n")
        return (int(head.split()[1]), body) if head else (0, b"")


def post(body, *headers, path="/relevance", length=None):
    lines = [f"POST {path} HTTP/1.1", "Host: here", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(size):
    piece = b"%x\r\n" % (1 << 16) + bytes(1 << 16) + b"\r\n"
    yield b"POST /relevance HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _ in range(size >> 16):
        yield piece
    yield b"0\r\n\r\n"


def form(*parts, boundary="cut-here", end="--"):
    out = b""
    for head, content in parts:
        out += f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"
    return out + f"--{boundary}{end}\r\n".encode(), f"Content-Type: multipart/form-data; boundary={boundary}"


def faults(picture):
    """What is wrong, the status and the code of its answer, and the request's parts."""
    def bomb(width, height):  # says that it is large, and is not
        head = b"IHDR" + struct.pack(">II", width, height) + picture[24:29]
        return picture[:12] + head + struct.pack(">I", zlib.crc32(head)) + picture[33:]

    no_png = bytes(random.Random(1).randrange(256) for _ in range(5000))
    broken = picture[:40] + bytes(10) + picture[50:]
    in_form, form_type = form(('Content-Disposition: form-data; name="other"', picture))
    open_form, _ = form(('Content-Disposition: form-data; name="image"', picture), end="")
    long_form, _ = form(("Content-Disposition: form-data" + '; note="a"' * 100_000, picture))
    return [
        ("garbage", 415, "no_picture", [post(no_png)]),
        ("nothing", 415, "no_picture", [post(b"")]),
        ("no length", 415, "no_picture", [b"POST /relevance HTTP/1.1\r\nHost: here\r\n\r\n"]),
        ("a GIF", 415, "no_picture", [post(b"GIF89a" + bytes(100))]),
        ("a damaged PNG", 422, "A0702", [post(broken)]),
        ("half a PNG", 422, "A0702", [post(picture[:len(picture) // 2])]),
        ("a PNG of too many pixels", 413, "A0004", [post(bomb(60000, 60000))]),
        ("a body that is cut", 400, "cut_body", [post(picture, length=len(picture) + 1000)]),
        ("a body of 100 MB", 413, "body_too_large", [post(b"", length=100_000_000), *[bytes(1_000_000)] * 100]),
        ("a body of 100 MB in chunks", 413, "body_too_large", list(chunked(100_000_000))),
        ("a body without an end", 413, "body_too_large", [post(b"", length=1 << 62), *[bytes(1_000_000)] * 20]),
        ("a bad chunk", 400, "cut_body", [b"POST /relevance HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"]),
        ("a compressed body", 415, "encoded_body", [post(zlib.compress(bytes(1000)), "Content-Encoding: gzip")]),
        ("another type", 406, "unknown_form", [post(picture, "Accept: image/webp")]),
        ("another path", 404, "no_such_path", [post(picture, path="/relevances")]),
        ("another method", 405, "wrong_method", [b"PUT" + post(picture)[4:]]),
        ("an unknown rule", 404, "A0202", [post(picture, path="/relevance?rules=inc")]),
        ("an unknown parameter", 400, "unknown_parameter", [post(picture, path="/relevance?targt=3")]),
        ("a parameter twice", 400, "repeated_parameter", [post(picture, path="/relevance?target=3&target=4")]),
        ("an unknown colour map", 400, "unknown_colour_map", [post(picture, path="/relevance?colour_map=blue")]),
        ("a target that is not there", 422, "A0704", [post(picture, path="/relevance?target=1000000")]),
        ("a target of no name", 422, "A0704", [post(picture, path="/relevance?target=%FF%00")]),
        ("a form without a picture", 400, "bad_form", [post(in_form, form_type)]),
        ("a form without an end", 400, "bad_form", [post(open_form, form_type)]),
        ("a form with a long header", 400, "bad_form", [post(long_form, form_type)]),
        ("no HTTP", 400, "bad_request", [b"hello\r\n\r\n"]),
        ("long headers", 413, "head_too_large", [b"GET / HTTP/1.1\r\n", *[b"X: " + b"a" * 8000 + b"\r\n"] * 10]),
        ("a long address", 414, "path_too_long", [b"GET /" + b"a" * 10000 + b" HTTP/1.1\r\n\r\n"]),
        ("a reload through a proxy", 403, "not_from_here", [post(b"", "X-Forwarded-For: 192.0.2.1", path="/reload")]),
    ]


def check_fault(server, fault):
    name, status, code, parts = fault
    got, body = server.raw(*parts)
    assert got == status, f"{name}: {got}, not {status}: {body!r}"
    told = json.loads(body)
    assert told["code"] == code and told["message"] and told["help"], f"{name}: {told}"


def check_valid(answer, expected, what):
    status, body, headers = answer
    assert status == 200, f"{what}: {status} {body!r}"
    assert body == expected, f"{what}: other bytes than alone"


class Threads:
    """Threads whose first failure ends the test."""

    def __init__(self):
        self.failure = None
        self.threads = []

    def add(self, work):
        def run():
            try:
                work()
            except BaseException as failure:  # an assertion, a connection that was lost
                self.failure = self.failure or failure
        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def join(self):
        for each in self.threads:
            each.join()
        if self.failure:
            raise self.failure


def load(server, pictures, expected, bad, pack, seconds):
    """Eight clients with one bad request in ten, one that sends a byte a second, and one that loads rules anew."""
    end = time.monotonic() + seconds
    counts = {"good": 0, "bad": 0, "busy": 0, "slow": 0, "reloads": 0}
    lock = threading.Lock()
    warm = []

    def count(what):
        with lock:
            counts[what] += 1

    def client(seed):
        drawn = random.Random(seed)
        connection = server.connection()
        while time.monotonic() < end:
            if drawn.random() < 0.1:
                connection.close()  # idle, it would be closed by the service some time
                check_fault(server, drawn.choice(bad))
                count("bad")
                continue
            (name, kind, query), right = drawn.choice(expected)
            while (answer := server.ask(pictures[name], kind, query, connection))[0] == 503:
                assert answer[2]["Retry-After"] and json.loads(answer[1])["code"] in ("busy", "late")
                count("busy")
                time.sleep(0.05)
            check_valid(answer, right, f"{name} {kind} {query}")
            count("good")

    def slow():
        while time.monotonic() < end:
            for request in (post(next(iter(pictures.values()))), b"GET / HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaa"):
                begin = time.monotonic()
                # Its time is over when it is, however it goes on.
                got, body = server.raw(request[:60], *[bytes([byte]) for byte in request[60:65]], pause=1, end=False)
                assert got in (0, 408) and time.monotonic() - begin < 15, (got, body)
                count("slow")

    def reload():
        rules = sorted(Path(pack).glob("*.rule"))[0]
        right = rules.read_text()
        while time.monotonic() < end:
            for text, status in ((right + "\nrule broken { map = R / }\n", 422), (right, 200)):
                rules.write_text(text)
                got, body, _ = server.ask(b"", path="/reload")
                assert got == status, (got, body)
                if status == 422:
                    assert rules.name in json.loads(body)["message"], body
                count("reloads")
                time.sleep(0.25)

    def memory():
        time.sleep(seconds / 3)
        warm.append(server.resident())

    threads = Threads()
    for seed in range(CLIENTS):
        threads.add(lambda seed=seed: client(seed))
    for each in (slow, reload, memory):
        threads.add(each)
    threads.join()
    after = server.resident()
    print(f"{counts['good']} requests, {counts['good'] / seconds:.0f} a second, each as if it were alone; {counts['bad']} bad "
          f"and {counts['slow']} slow ones, {counts['busy']} came again, {counts['reloads']} reloads; "
          f"resident {warm[0]:.0f} MB after a third, {after:.0f} MB at the end")
    assert after < 1.1 * warm[0] + 30, "memory grows"


def crowd(program, options, pictures, expected):
    """A queue of one: who finds it full is told to come again, and nobody is lost."""
    with Server(program, *options, "--workers", 1, "--queue", 1) as server:
        refused = []

        def client(case):
            (name, kind, query), right = case
            while (answer := server.ask(pictures[name], kind, query))[0] == 503:
                refused.append(answer[2]["Retry-After"])
                time.sleep(0.01)
            check_valid(answer, right, name)

        threads = Threads()
        for i in range(40):
            threads.add(lambda case=expected[i % len(expected)]: client(case))
        threads.join()
        assert refused and set(refused) == {"1"}, refused
        print(f"a queue of one: 40 of 40 at once were answered, after {len(refused)} refusals")


def late(program, options):
    with Server(program, *options, "--resize", "8,8", "--time", 0.001) as server:
        status, body, headers = server.ask(png([bytes(3000)] * 3000))
        assert (status, json.loads(body)["code"], headers["Retry-After"]) == (503, "late", "1"), body


def ended(program, options, pictures, expected):
    """What is under way when the service is told to end gets its answer."""
    server = Server(program, *options, "--workers", 1, "--queue", 100)
    connections = []
    for (name, kind, query), right in (20 * expected)[:20]:
        connections.append((server.connection(), right))
        connections[-1][0].request("POST", "/relevance" + query, pictures[name], {"Accept": kind})
    while (health := server.health())["answered"] + health["waiting"] < 19:
        pass  # what is not yet there is not under way
    server.process.send_signal(signal.SIGTERM)
    for connection, right in connections:
        answer = connection.getresponse()
        check_valid((answer.status, answer.read(), answer.headers), right, "a request under way")
    assert server.process.wait(30) == 0
    print("20 of 20 requests under way were answered when it was told to end")


def changed(server, pictures, pack):
    """What is loaded anew counts from then on."""
    rules = sorted(Path(pack).glob("*.rule"))[0]
    picture = next(iter(pictures.values()))
    before = server.ask(picture, "application/x-npy", "?rules=ink")[1]
    rules.write_text(rules.read_text().replace("gamma = 0.25", "gamma = 2"))
    assert server.ask(picture, "application/x-npy", "?rules=ink")[1] == before
    assert server.ask(b"", path="/reload")[0] == 200
    assert server.ask(picture, "application/x-npy", "?rules=ink")[1] != before


def main():
    program, ascribe, model, source = (Path(path).resolve() for path in sys.argv[1:5])
    seconds = float(sys.argv[5]) if len(sys.argv) > 5 else 4
    given, _, options = (" ".join(sys.argv[6:])).partition("-- ")
    with tempfile.TemporaryDirectory() as folder:
        pack = Path(folder) / "pack"
        shutil.copytree(source, pack)
        if given:
            pictures = {Path(path).stem: Path(path).read_bytes() for path in given.split()}
            preparation = options.split()
        else:
            pictures = {path.stem: digit(path) for path in sorted(Path(model).parent.glob("*.npy"))}
            preparation = ["--grey"]
        common = ["--model", model, "--rules", "epsilon_plus", "--load", pack, *preparation]

        expected = []
        with Server(program, *common, "--workers", 1) as alone:
            for name, picture in pictures.items():
                for kind in TYPES:
                    for query in ("", "?rules=ink&target=3", "?colour_map=viridis"):
                        status, body, headers = alone.ask(picture, kind, query)
                        assert status == 200 and headers["Content-Type"] == kind, body
                        expected.append(((name, kind, query), body))
            if not given:
                for name, picture in pictures.items():
                    (Path(folder) / "x.png").write_bytes(picture)
                    subprocess.run([ascribe, "run", "--model", model, "--rules", "epsilon_plus", "--grey", "--threads", "1",
                                    "--input", "x.png", "--output", "x.npy"], check=True, cwd=folder, stdout=subprocess.DEVNULL)
                    right = (Path(folder) / "x.npy").read_bytes()
                    assert dict(expected)[name, "application/x-npy", ""] == right, f"{name}: not what `ascribe run` gives"
            in_form, form_type = form(('Content-Disposition: form-data; name="note"', b"hello"),
                                      ('Content-Disposition: form-data; name="image"; filename="x.png"', picture))
            got, body = alone.raw(post(in_form, form_type))
            assert got == 200 and body == dict(expected)[name, "image/png", ""], (got, body)
            if not given:  # the model sees all of the picture
                status, seen, _ = alone.ask(picture, path="/input")
                assert status == 200, seen
                (Path(folder) / "seen.png").write_bytes(seen)
                subprocess.run([ascribe, "run", "--model", model, "--rules", "epsilon_plus", "--grey", "--threads", "1",
                                "--input", "seen.png", "--output", "seen.npy"], check=True, cwd=folder, stdout=subprocess.DEVNULL)
                assert (Path(folder) / "seen.npy").read_bytes() == right, "/input is not what the model sees"
            assert b"<h1>" in alone.raw(b"GET / HTTP/1.1\r\n\r\n")[1]

        with Server(program, *common, "--workers", 2, "--request-time", 5) as server:
            bad = faults(next(iter(pictures.values())))
            for fault in bad:
                check_fault(server, fault)
            print(f"{len(bad)} sorts of bad requests got their message")
            load(server, pictures, expected, bad, pack, seconds)
            changed(server, pictures, pack)
        shutil.rmtree(pack)
        shutil.copytree(source, pack)
        crowd(program, common, pictures, expected)
        if not given:
            late(program, common)
        ended(program, common, pictures, expected)
        print("nothing was lost")


main()
