"""A client of the language server: plain messages over its standard input and output."""
import json
import os
import queue
import subprocess
import threading
import urllib.parse


def uri(path):
    return "file://" + urllib.parse.quote(str(path))


class Client:
    def __init__(self, program, environment=None, **options):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={**os.environ, **(environment or {})})
        self.messages = queue.Queue()
        self.notes = []
        self.last = 0
        self.options = options
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        stream = self.process.stdout
        while True:
            length = None
            while line := stream.readline().strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if length is None:
                self.messages.put(None)
                return
            self.messages.put(json.loads(stream.read(length)))

    def raw(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, content):
        data = json.dumps(content).encode()
        self.raw(b"Content-Length: %d\r\n\r\n" % len(data) + data)

    def note(self, method, **parameters):
        self.send({"jsonrpc": "2.0", "method": method, "params": parameters})

    def ask(self, method, **parameters):
        """The whole answer to a request."""
        self.last += 1
        self.send({"jsonrpc": "2.0", "id": self.last, "method": method, "params": parameters})
        return self.answer(self.last)

    def answer(self, number):
        while True:
            message = self.messages.get(timeout=60)
            assert message is not None, "the server is gone"
            if "method" in message:
                self.notes.append(message)
            elif message.get("id") == number:
                return message

    def get(self, method, **parameters):
        found = self.ask(method, **parameters)
        assert "result" in found, found
        return found["result"]

    def start(self, encodings=("utf-16",), **initialization):
        result = self.get("initialize", processId=None, rootUri=None, initializationOptions=initialization, capabilities={
            "general": {"positionEncodings": list(encodings)},
            "workspace": {"workspaceEdit": {"documentChanges": True}},
            "textDocument": {"documentSymbol": {"hierarchicalDocumentSymbolSupport": True}}})
        self.note("initialized")
        return result

    def open(self, document, text, version=1):
        self.note("textDocument/didOpen", textDocument={"uri": document, "languageId": "ascribe", "version": version, "text": text})

    def change(self, document, version, *changes):
        self.note("textDocument/didChange", textDocument={"uri": document, "version": version}, contentChanges=list(changes))

    def diagnostics(self, document, version=None):
        """The next messages about a document, of this version where one is given."""
        while True:
            for i, each in enumerate(self.notes):
                if each["method"] == "textDocument/publishDiagnostics" and each["params"]["uri"] == document and (
                        version is None or each["params"].get("version") == version):
                    del self.notes[:i + 1]
                    return each["params"]["diagnostics"]
            message = self.messages.get(timeout=60)
            assert message is not None, "the server is gone"
            if "method" in message:
                self.notes.append(message)

    def stop(self):
        self.get("shutdown")
        self.note("exit")
        assert self.process.wait(20) == 0
