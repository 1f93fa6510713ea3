#!/usr/bin/env python3
"""A session of pygls' client, whose lsprotocol refuses every answer that is not of the protocol's types: on a pack of three
files. Arguments: the command `ascribe`, and a folder to work in."""
import asyncio
import pathlib
import shutil
import subprocess
import sys

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

COMMAND, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()

PACK = 'pack pixels { version = "1.0.0"; language = 2 }\n'
BASIC = """## Relevance in equal parts.
## Formula: R_i = R / n
rule even(share = 0.5, epsilon: stabilizer = 1e-6) {
  let part = share * R / stabilize(y, epsilon)
  map = part
}

test "half is kept" {
  model = linear(weight = [[1, 1]])
  x     = [[1, 1]]
  expect sum(relevance(even)) == 1 within 1e-4
}
"""
MAPS = """composite all {
  linear, convolution => even(0.25)
  activation          => pass
}
"""
MISTAKES = """import "pixels" as pixels

composite wrong { linear => pixels.evven(0.25); activatoin => pass }
"""


class Session:
    def __init__(self, client):
        self.client, self.diagnostics = client, {}

        @client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def on_diagnostics(told):
            self.diagnostics[told.uri] = told.diagnostics

        @client.feature(lsp.WORKSPACE_CONFIGURATION)
        def on_configuration(asked):
            return [None for _ in asked.items]

        for feature in (lsp.CLIENT_REGISTER_CAPABILITY, lsp.WORKSPACE_CODE_LENS_REFRESH, lsp.WORKSPACE_INLAY_HINT_REFRESH):
            client.feature(feature)(lambda *_: None)
        for feature in (lsp.WINDOW_LOG_MESSAGE, lsp.WINDOW_SHOW_MESSAGE):
            client.feature(feature)(lambda *_: None)

    def open(self, name, text):
        uri = (FOLDER / name).as_uri()
        self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(lsp.TextDocumentItem(uri, "ascribe", 1, text)))
        return lsp.TextDocumentIdentifier(uri)

    async def told(self, document):
        for _ in range(600):
            if document.uri in self.diagnostics:
                return self.diagnostics[document.uri]
            await asyncio.sleep(0.05)
        raise AssertionError(f"nothing was told of {document.uri}")


def place(text, word, shift=0):
    before = text[:text.index(word)]
    return lsp.Position(before.count("\n"), len(before) - (before.rfind("\n") + 1) + shift)


async def session():
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "pixels").mkdir(parents=True)
    for name, text in (("pack.rule", PACK), ("basic.rule", BASIC), ("maps.rule", MAPS)):
        (FOLDER / "pixels" / name).write_text(text)
    client = LanguageClient("tests", "1")
    own = Session(client)
    await client.start_io(COMMAND, "lsp")
    began = await client.initialize_async(lsp.InitializeParams(
        capabilities=lsp.ClientCapabilities(
            general=lsp.GeneralClientCapabilities(position_encodings=[lsp.PositionEncodingKind.Utf8, lsp.PositionEncodingKind.Utf16]),
            text_document=lsp.TextDocumentClientCapabilities(
                document_symbol=lsp.DocumentSymbolClientCapabilities(hierarchical_document_symbol_support=True))),
        root_uri=FOLDER.as_uri(), workspace_folders=[lsp.WorkspaceFolder(FOLDER.as_uri(), "work")]))
    assert began.capabilities.position_encoding == lsp.PositionEncodingKind.Utf8
    client.initialized(lsp.InitializedParams())

    basic, maps, mistakes = own.open("pixels/basic.rule", BASIC), own.open("pixels/maps.rule", MAPS), own.open("mine.rule", MISTAKES)
    for each in (basic, maps):
        assert not await own.told(each), await own.told(each)
    wrong = await own.told(mistakes)
    assert len(wrong) == 2 and all(each.code and each.code_description and each.code_description.href for each in wrong), wrong

    hover = await client.text_document_hover_async(lsp.HoverParams(maps, place(MAPS, "even", 1)))
    assert "Relevance in equal parts." in hover.contents.value and "R_i = R / n" in hover.contents.value
    found = await client.text_document_definition_async(lsp.DefinitionParams(maps, place(MAPS, "even", 1)))
    found = found[0] if isinstance(found, list) else found
    assert found.uri == basic.uri and found.range.start == place(BASIC, "even(share")
    references = await client.text_document_references_async(
        lsp.ReferenceParams(lsp.ReferenceContext(True), basic, place(BASIC, "even(share", 1)))
    assert {each.uri for each in references} >= {basic.uri, maps.uri} and len(references) >= 3, references

    completion = await client.text_document_completion_async(lsp.CompletionParams(maps, place(MAPS, "pass", 2)))
    offers = completion.items if isinstance(completion, lsp.CompletionList) else completion
    assert {"pass", "even", "zplus"} <= {each.label for each in offers}
    signature = await client.text_document_signature_help_async(lsp.SignatureHelpParams(maps, place(MAPS, "0.25")))
    assert signature.signatures[0].label.startswith("rule even(share = 0.5") and signature.active_parameter == 0

    renamed = await client.text_document_rename_async(lsp.RenameParams(basic, place(BASIC, "even(share", 1), "equal"))
    texts = {change.text_document.uri: change.edits for change in renamed.document_changes} if renamed.document_changes else renamed.changes
    assert len(texts[basic.uri]) == 2 and len(texts[maps.uri]) == 1, texts
    prepared = await client.text_document_prepare_rename_async(lsp.PrepareRenameParams(basic, place(BASIC, "part = ", 1)))
    assert prepared is not None

    symbols = await client.text_document_document_symbol_async(lsp.DocumentSymbolParams(basic))
    assert [each.name for each in symbols][:1] == ["even"] and len(symbols) == 2
    assert await client.text_document_folding_range_async(lsp.FoldingRangeParams(basic))
    selection, = await client.text_document_selection_range_async(lsp.SelectionRangeParams(basic, [place(BASIC, "share * R", 1)]))
    assert selection.parent and selection.parent.parent
    tokens = await client.text_document_semantic_tokens_full_async(lsp.SemanticTokensParams(basic))
    assert tokens.data and len(tokens.data) % 5 == 0
    everything = lsp.Range(lsp.Position(0, 0), lsp.Position(len(BASIC.splitlines()), 0))
    hints = await client.text_document_inlay_hint_async(lsp.InlayHintParams(maps, everything))
    assert any("share" in (each.label if isinstance(each.label, str) else each.label[0].value) for each in hints), hints
    links = await client.text_document_document_link_async(lsp.DocumentLinkParams(mistakes))
    assert len(links) == 1 and links[0].target == (FOLDER / "pixels" / "pack.rule").as_uri(), links
    highlights = await client.text_document_document_highlight_async(lsp.DocumentHighlightParams(basic, place(BASIC, "share =", 1)))
    assert len(highlights) == 2

    # What is broken is mended by what is offered, and formatted as `ascribe fmt` does.
    actions = await client.text_document_code_action_async(lsp.CodeActionParams(
        mistakes, lsp.Range(lsp.Position(0, 0), lsp.Position(3, 0)), lsp.CodeActionContext(wrong)))
    titles = [each.title for each in actions]
    assert any("even" in each for each in titles) and any("activation" in each for each in titles), titles
    edits = await client.text_document_formatting_async(lsp.DocumentFormattingParams(mistakes, lsp.FormattingOptions(2, True)))
    formatted = subprocess.run([COMMAND, "fmt", "-"], input=MISTAKES, capture_output=True, text=True).stdout
    assert apply(MISTAKES, edits or []) == formatted

    # A change is followed; a lens runs the test, whose result stands beside `expect`.
    client.text_document_did_change(lsp.DidChangeTextDocumentParams(
        lsp.VersionedTextDocumentIdentifier(2, mistakes.uri),
        [lsp.TextDocumentContentChangePartial(text="even", range=lsp.Range(place(MISTAKES, "evven"), place(MISTAKES, "evven", 5)))]))
    own.diagnostics.pop(mistakes.uri)
    assert len(await own.told(mistakes)) == 1
    lens, = await client.text_document_code_lens_async(lsp.CodeLensParams(basic))
    own.diagnostics.pop(basic.uri)
    await client.workspace_execute_command_async(lsp.ExecuteCommandParams(lens.command.command, lens.command.arguments))
    result = await own.told(basic)
    assert [each.message for each in result] == ["the test passed"], result

    await client.shutdown_async(None)
    client.exit(None)
    await asyncio.wait_for(client.stop(), 20)


def apply(text, edits):
    lines = text.splitlines(keepends=True) + [""]

    def offset(at):
        return sum(len(each) for each in lines[:at.line]) + at.character

    for edit in sorted(edits, key=lambda each: offset(each.range.start), reverse=True):
        text = text[:offset(edit.range.start)] + edit.new_text + text[offset(edit.range.end):]
    return text


asyncio.run(session())
print("each answer is of the protocol's types, and says what it should")
