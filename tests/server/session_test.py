#!/usr/bin/env python3
"""A session with the language server, message by message. Arguments: the server, the source folder, and the command
`ascribe` where it is built."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from client import Client, uri

SERVER, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
COMMAND = sys.argv[3] if len(sys.argv) > 3 else None

TEXT = """## Half of it.
## Formula: R / 2
rule half(k = 0.5) { map = k * R / stabilize(y) }
composite all { any => half(0.25) }
"""


class Session(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name).resolve()
        self.client = Client(SERVER, {"XDG_CACHE_HOME": str(self.path / "cache"), "ASCRIBE_PATH": ""})

    def tearDown(self):
        self.client.process.kill()
        self.client.process.wait()
        self.client.process.stdin.close()
        self.client.process.stdout.close()
        self.folder.cleanup()

    def begin(self, text=TEXT, name="mine.rule", **options):
        result = self.client.start(**options)
        file = self.path / name
        file.write_text(text)
        self.document = uri(file)
        self.client.open(self.document, text)
        return result

    def at(self, method, line, character, **more):
        return self.client.get("textDocument/" + method, textDocument={"uri": self.document},
                               position={"line": line, "character": character}, **more)

    def whole(self, method, **more):
        return self.client.get("textDocument/" + method, textDocument={"uri": self.document}, **more)

    def test_starts_soon_and_ends(self):
        begin = time.monotonic()
        result = self.client.start()
        self.assertLess(time.monotonic() - begin, 5)  # 0.1 on a machine that does nothing else
        self.assertEqual(result["serverInfo"]["name"], "ascribe")
        self.assertEqual(result["capabilities"]["positionEncoding"], "utf-16")
        self.client.stop()

    def test_answers_about_a_place(self):
        self.begin()
        self.assertEqual(self.client.diagnostics(self.document), [])
        self.assertIn("Half of it.", self.at("hover", 3, 24)["contents"]["value"])
        found = self.at("definition", 3, 24)
        self.assertEqual((found["uri"], found["range"]["start"]), (self.document, {"line": 2, "character": 5}))
        self.assertEqual(len(self.at("references", 2, 6, context={"includeDeclaration": True})), 2)
        self.assertEqual(len(self.at("references", 2, 6, context={"includeDeclaration": False})), 1)
        self.assertEqual(len(self.at("documentHighlight", 2, 10)), 2)
        labels = {each["label"] for each in self.at("completion", 2, 27)["items"]}
        self.assertLessEqual({"k", "R", "y", "stabilize"}, labels)
        self.assertNotIn("w", labels)
        self.assertEqual(self.at("signatureHelp", 3, 28)["signatures"][0]["label"], "rule half(k = 0.5)")
        self.assertIsNone(self.at("hover", 0, 200) and None)

    def test_what_is_offered_is_told_about_when_it_is_asked_for(self):
        self.begin()
        offers = self.at("completion", 3, 23)["items"]
        item = next(each for each in offers if each["label"] == "half")
        self.assertNotIn("documentation", item)
        self.assertIn("Half of it.", self.client.get("completionItem/resolve", **item)["documentation"]["value"])

    def test_the_standard_pack_can_be_looked_at(self):
        self.begin("composite all { any => epsilon }\n")
        found = self.at("definition", 0, 25)
        path = found["uri"].removeprefix("file://")
        text = pathlib.Path(path).read_text()
        line = text.splitlines()[found["range"]["start"]["line"]]
        self.assertTrue(line.startswith("rule epsilon"), line)

    def test_structure(self):
        self.begin()
        symbols = self.whole("documentSymbol")
        self.assertEqual([each["name"] for each in symbols], ["half", "all"])
        self.assertEqual([each["name"] for each in symbols[0]["children"]], ["map"])
        self.assertTrue(self.whole("foldingRange"))
        ranges = self.whole("selectionRange", positions=[{"line": 2, "character": 27}])
        depth, each = 0, ranges[0]
        while each:
            depth, each = depth + 1, each.get("parent")
        self.assertGreater(depth, 4)
        data = self.whole("semanticTokens/full")["data"]
        self.assertEqual(len(data) % 5, 0)
        self.assertGreater(len(data), 50)
        everything = {"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}}
        self.assertEqual(self.whole("inlayHint", range=everything), [])
        self.assertEqual([each["name"] for each in self.client.get("workspace/symbol", query="hf")], ["half"])

    def test_messages_are_those_of_check(self):
        text = "rule a { map = R * x }\nrule a {}\nrule b(n = 1) { map = R / stabilize(y) }\n"
        self.begin(text)
        found = self.client.diagnostics(self.document)
        self.assertEqual([each["code"] for each in found], ["A0207", "A0205", "A0210"])
        self.assertEqual(found[0]["range"], {"start": {"line": 0, "character": 15}, "end": {"line": 0, "character": 20}})
        self.assertIn("help: ", found[0]["message"])
        self.assertEqual(found[1]["relatedInformation"][0]["location"]["range"]["start"], {"line": 0, "character": 5})
        self.assertEqual(found[2]["tags"], [1])
        page = pathlib.Path(found[0]["codeDescription"]["href"].removeprefix("file://")).read_text()
        self.assertTrue(page.startswith("# A0207"))

    def test_changes_are_followed(self):
        self.begin()
        self.assertEqual(self.client.diagnostics(self.document), [])
        self.client.change(self.document, 2, {"range": {"start": {"line": 2, "character": 27}, "end": {"line": 2, "character": 28}},
                                              "text": "kk"})
        self.assertEqual([each["code"] for each in self.client.diagnostics(self.document, 2)], ["A0201"])
        self.client.change(self.document, 3, {"text": "rule a {}\n"}, {"text": "rule b {}\n"})
        self.assertEqual(self.client.diagnostics(self.document, 3), [])
        self.assertEqual([each["name"] for each in self.whole("documentSymbol")], ["b"])
        self.client.note("textDocument/didClose", textDocument={"uri": self.document})
        self.assertIn("error", self.client.ask("textDocument/hover", textDocument={"uri": self.document}, position={"line": 0, "character": 0}))

    def test_edits_outside_of_the_text_are_cut(self):
        self.begin("rule a {}\n")
        self.client.change(self.document, 2,
                           {"range": {"start": {"line": 7, "character": 3}, "end": {"line": 99, "character": 0}}, "text": "rule b {}\n"},
                           {"range": {"start": {"line": 0, "character": 4000}, "end": {"line": 0, "character": 5}}, "text": "z {}"},
                           {"range": {"start": {"line": -3, "character": -1}, "end": {"line": 0, "character": 0}}, "text": "# "})
        self.assertEqual(self.client.diagnostics(self.document, 2), [])
        self.assertEqual([each["name"] for each in self.whole("documentSymbol")], ["b"])
        self.client.change(self.document, 3, {"range": "none", "text": "x"})
        self.client.change(self.document, 4, {"range": {"start": {"line": 0, "character": 0}}, "text": 5})
        self.assertEqual([each["name"] for each in self.whole("documentSymbol")], ["b"])

    def test_positions_are_counted_as_the_client_counts(self):
        for encoding, behind in (("utf-16", 2), ("utf-8", 4)):
            with self.subTest(encoding):
                client = Client(SERVER, {"XDG_CACHE_HOME": str(self.path / "cache")})
                result = client.start(encodings=[encoding])
                self.assertEqual(result["capabilities"]["positionEncoding"], encoding)
                document = uri(self.path / "emoji.rule")
                client.open(document, "# \U0001F600é\nrule a {} # \U0001F600\nrule a {}\n")
                start = client.diagnostics(document)[0]["range"]["start"]
                self.assertEqual(start, {"line": 2, "character": 5})
                # In the middle of the character is before it.
                client.change(document, 2, {"range": {"start": {"line": 0, "character": 3}, "end": {"line": 0, "character": 2 + behind}},
                                            "text": ""})
                client.change(document, 3, {"range": {"start": {"line": 2, "character": 5}, "end": {"line": 2, "character": 6}},
                                            "text": "b"})
                self.assertEqual(client.diagnostics(document, 3), [])
                client.stop()
                client.process.stdin.close()
                client.process.stdout.close()

    def test_renaming(self):
        self.begin()
        place = self.at("prepareRename", 2, 10)
        self.assertEqual(place["placeholder"], "k")
        found = self.at("rename", 2, 10, newName="share")["documentChanges"]
        self.assertEqual(len(found[0]["edits"]), 2)
        self.assertEqual(found[0]["textDocument"]["version"], 1)
        refused = self.client.ask("textDocument/rename", textDocument={"uri": self.document}, position={"line": 2, "character": 10},
                                  newName="R")
        self.assertIn("cannot be redefined", refused["error"]["message"])

    def test_formatting_is_that_of_fmt(self):
        text = "rule a{map=R/stabilize(y)}\n\n\n\nrule bé # \U0001F600\n{ }"
        self.begin("rule a{map=R/stabilize(y)}\n\n\n\nrule b{ input  =x }\n# \U0001F600 é\nrule c { }\n")
        edits = self.whole("formatting", options={"tabSize": 2, "insertSpaces": True})
        self.assertEqual(self.applied(edits), "rule a { map = R / stabilize(y) }\n\nrule b { input = x }\n# \U0001F600 é\nrule c {}\n")
        some = self.whole("rangeFormatting", options={}, range={"start": {"line": 4, "character": 0}, "end": {"line": 4, "character": 1}})
        self.assertEqual(self.applied(some), "rule a{map=R/stabilize(y)}\n\n\n\nrule b { input = x }\n# \U0001F600 é\nrule c { }\n")
        self.client.change(self.document, 2, {"text": text})
        self.assertIn("error", self.client.ask("textDocument/formatting", textDocument={"uri": self.document}, options={}))

    def applied(self, edits):
        text = (self.path / "mine.rule").read_text()
        lines = text.split("\n")

        def offset(position):
            before = sum(len(line) + 1 for line in lines[:position["line"]])
            units = lines[position["line"]].encode("utf-16-le")[:2 * position["character"]]
            return before + len(units.decode("utf-16-le"))
        for each in sorted(edits, key=lambda each: -offset(each["range"]["start"])):
            text = text[:offset(each["range"]["start"])] + each["newText"] + text[offset(each["range"]["end"]):]
        return text

    def test_every_file_is_formatted_as_fmt_does(self):
        self.client.start()
        for path in sorted((SOURCE / "stdlib").glob("*.rule")):
            with self.subTest(path.name):
                self.document = uri(path)
                self.client.open(self.document, path.read_text())
                self.assertEqual(self.whole("formatting", options={}), [])  # they are in canonical form

    def test_packs(self):
        pack = self.path / "a pack%41"
        pack.mkdir()
        (pack / "pack.rule").write_text('pack acme { version = "1.0.0"; language = 2 }\n')
        soft = pack / "soft.rule"
        soft.write_text("rule soft = epsilon(0.1)\n")
        self.begin('import "./a pack%41" as acme\ncomposite d { any => acme.soft }\n')
        self.assertEqual(self.client.diagnostics(self.document), [])
        self.assertEqual(self.at("definition", 1, 28)["uri"], uri(soft))
        self.assertEqual(self.whole("documentLink")[0]["target"], uri(pack / "pack.rule"))
        # A change in the pack, in the editor only, is seen by who imports it.
        self.client.open(uri(soft), "rule softer = epsilon(0.1)\n")
        self.assertEqual([each["code"] for each in self.client.diagnostics(self.document)], ["A0202"])
        self.client.note("textDocument/didClose", textDocument={"uri": uri(soft)})
        self.assertEqual(self.client.diagnostics(self.document), [])
        # And one on the disk, when the client tells of it.
        soft.unlink()
        self.client.note("workspace/didChangeWatchedFiles", changes=[{"uri": uri(soft), "type": 3}])
        self.assertEqual([each["code"] for each in self.client.diagnostics(self.document)], ["A0202"])

    def test_a_lock_that_differs_hides_nothing(self):
        pack = self.path / "acme"
        pack.mkdir()
        (pack / "pack.rule").write_text('pack acme { version = "1.0.0"; language = 2 }\nrule bad { map = q }\n')
        (pack / "pack.lock").write_text("0" * 64 + "  pack.rule\n")
        self.client.start()
        document = uri(pack / "pack.rule")
        self.client.open(document, (pack / "pack.rule").read_text())
        self.assertEqual({each["code"] for each in self.client.diagnostics(document)}, {"A0808", "A0201"})

    def test_the_search_path_is_configured(self):
        (self.path / "lib/acme").mkdir(parents=True)
        (self.path / "lib/acme/pack.rule").write_text('pack acme { version = "1.0.0"; language = 2 }\nrule soft = epsilon(0.1)\n')
        self.begin('import "acme" as acme\ncomposite d { any => acme.soft }\n', path=[str(self.path / "lib")])
        self.assertEqual(self.client.diagnostics(self.document), [])
        self.client.note("workspace/didChangeConfiguration", settings={"ascribe": {"path": ["/nowhere"]}})
        self.assertEqual([each["code"] for each in self.client.diagnostics(self.document)], ["A0801"])

    def test_a_document_that_lies_nowhere(self):
        self.client.start()
        self.document = "untitled:Untitled-1"
        self.client.open(self.document, "rule a { map = R * x }\n")
        self.assertEqual([each["code"] for each in self.client.diagnostics(self.document)], ["A0207"])
        self.assertEqual(self.whole("codeLens"), [])

    def test_the_order_of_messages(self):
        self.assertEqual(self.client.ask("textDocument/hover")["error"]["code"], -32002)
        self.client.note("textDocument/didOpen", textDocument={"uri": "file:///a.rule", "version": 1, "text": "", "languageId": ""})
        self.client.start()
        self.assertEqual(self.client.ask("initialize")["error"]["code"], -32600)
        self.assertEqual(self.client.ask("no/such")["error"]["code"], -32601)
        self.client.note("no/such")
        self.client.note("$/setTrace", value="off")
        self.assertEqual(self.client.ask("textDocument/hover")["error"]["code"], -32602)
        self.assertEqual(self.client.ask("textDocument/hover", textDocument=[], position=5)["error"]["code"], -32602)
        self.client.send([])
        self.client.send({"jsonrpc": "2.0", "id": 99, "result": None})
        self.client.get("shutdown")
        self.assertEqual(self.client.ask("textDocument/hover")["error"]["code"], -32600)
        self.client.note("exit")
        self.assertEqual(self.client.process.wait(20), 0)

    def test_what_is_no_message_is_refused_and_passed_over(self):
        self.client.start()
        for raw in (b"Content-Length: 3\r\n\r\n{]}", b"Content-Length: x\r\n\r\n", b"Nonsense\r\n\r\n", b"Content-Length: 2\r\n\r\n\xff\xfe",
                    b"content-length: 4\r\nContent-Type: x\r\n\r\nnull", b"Content-Length: 40002\r\n\r\n" + b"[" * 20001 + b"]" * 20001):
            self.client.raw(raw)
            self.assertIn("error", self.client.answer(None), raw[:40])
        self.client.stop()

    def test_the_server_ends_when_the_client_is_gone(self):
        self.client.start()
        self.client.raw(b"Content-Length: 100\r\n\r\n{")
        self.client.process.stdin.close()
        self.assertEqual(self.client.process.wait(20), 1)

    def test_exit_without_shutdown_is_a_failure(self):
        self.client.start()
        self.client.note("exit")
        self.assertEqual(self.client.process.wait(20), 1)

    def test_what_is_cancelled_is_not_done(self):
        self.begin()
        for number in range(1000, 1100):
            self.client.send({"jsonrpc": "2.0", "id": number, "method": "textDocument/semanticTokens/full",
                              "params": {"textDocument": {"uri": self.document}}})
        self.client.note("$/cancelRequest", id=1099)
        self.client.note("$/cancelRequest", id="never there")
        answer = self.client.answer(1099)
        self.assertTrue("result" in answer or answer["error"]["code"] == -32800)
        self.client.stop()

    def test_nothing_is_done_for_a_text_that_is_gone(self):
        self.begin("rule a {}\n" * 2000)
        for version in range(2, 40):
            self.client.change(self.document, version, {"text": "rule a%d {}\n" % version * 1000})
            self.client.send({"jsonrpc": "2.0", "id": 5000 + version, "method": "textDocument/semanticTokens/full",
                              "params": {"textDocument": {"uri": self.document}}})
        codes = set()
        for version in range(2, 40):
            codes.add(self.client.answer(5000 + version).get("error", {}).get("code"))
        self.assertLessEqual(codes, {None, -32801})
        self.client.diagnostics(self.document, 39)

    def test_many_and_large_documents(self):
        self.client.start()
        for number in range(1000):
            self.client.open(uri(self.path / f"file{number}.rule"), f"rule r{number} = epsilon\n")
        large = uri(self.path / "large.rule")
        self.client.open(large, "# words\n" * ((1 << 20) // 8 - 4) + "rule a {}\n")
        self.assertEqual(self.client.diagnostics(large), [])
        self.client.change(large, 2, {"text": "x" * ((1 << 20) + 1)})
        self.assertEqual([each["code"] for each in self.client.diagnostics(large, 2)], ["A0004"])
        dense = uri(self.path / "dense.rule")  # all on one line, each name of the one before
        self.document = dense
        self.client.open(dense, "rule r0 = epsilon " + "".join(f"rule r{i} = r{i - 1} " for i in range(1, 40000)))
        begin = time.monotonic()
        self.assertGreater(len(self.whole("semanticTokens/full")["data"]), 5 * 100000)
        self.assertEqual(len(self.whole("documentSymbol")), 40000)
        self.assertLess(time.monotonic() - begin, 30)
        self.client.note("textDocument/didClose", textDocument={"uri": dense})
        begin = time.monotonic()
        first = uri(self.path / "file0.rule")
        self.client.change(first, 2, {"text": "rule r = nothing\n"})
        self.assertEqual([each["code"] for each in self.client.diagnostics(first, 2)], ["A0202"])
        self.assertLess(time.monotonic() - begin, 10)

    def test_mending(self):
        self.begin("rule a { map = R / stabilise(y) }\n")
        found = self.client.diagnostics(self.document)
        where = found[0]["range"]
        actions = self.whole("codeAction", range=where, context={"diagnostics": found})
        quick = [each for each in actions if each["kind"] == "quickfix"]
        self.assertEqual(self.applied(quick[0]["edit"]["documentChanges"][0]["edits"]), "rule a { map = R / stabilize(y) }\n")
        self.assertEqual(quick[0]["diagnostics"][0]["code"], "A0203")
        self.assertEqual(self.whole("codeAction", range=where, context={"diagnostics": [], "only": ["refactor"]}), [])

    @unittest.skipUnless(COMMAND, "needs the command `ascribe`")
    def test_tests_are_run(self):
        text = 'test "a [b] *" {\n  model = relu\n  x     = [[1]]\n  expect y == [[%s]]\n}\n'
        self.begin(text % 2, command=COMMAND)
        lens = self.whole("codeLens")[0]
        self.assertEqual(lens["command"]["title"], "run test")
        result = self.client.get("workspace/executeCommand", command=lens["command"]["command"], arguments=lens["command"]["arguments"])
        self.assertEqual(result["failed"], 1)
        found = [each for _ in range(2) for each in self.client.diagnostics(self.document)]
        self.assertEqual([(each["code"], each["range"]["start"]["line"]) for each in found], [("A0901", 3)])
        self.client.change(self.document, 2, {"text": text % 1})
        (self.path / "mine.rule").write_text(text % 1)
        result = self.client.get("workspace/executeCommand", command=lens["command"]["command"], arguments=lens["command"]["arguments"])
        self.assertEqual(result["failed"], 0)
        while not (found := self.client.diagnostics(self.document, 2)):
            pass
        self.assertEqual([(each["message"], each["severity"]) for each in found], [("the test passed", 4)])
        (self.path / "mine.rule").write_text("# another\n")
        refused = self.client.ask("workspace/executeCommand", command="ascribe.runTest", arguments=lens["command"]["arguments"])
        self.assertIn("save it first", refused["error"]["message"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
