#!/usr/bin/env bash
# A real editor as the client: Neovim without a screen opens a file with a mistake, and is told. Arguments: nvim, the server.
set -euo pipefail
nvim=$1 server=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf 'rule half { map = R * x }\ncomposite c { any => half }\n' >"$folder/mine.rule"
cat >"$folder/test.lua" <<END
local id = vim.lsp.start_client({ name = "ascribe", cmd = { "$server" }, root_dir = "$folder" })
vim.cmd("edit $folder/mine.rule")
vim.lsp.buf_attach_client(0, id)
assert(vim.wait(20000, function() return #vim.diagnostic.get(0) > 0 end), "no diagnostics")
local told = vim.diagnostic.get(0)[1]
assert(told.code == "A0207" or told.user_data.lsp.code == "A0207", vim.inspect(told))
assert(told.lnum == 0 and told.col == 18 and told.end_col == 23, vim.inspect(told))
local function ask(method, line, character)
  local answers = vim.lsp.buf_request_sync(0, method, {
    textDocument = vim.lsp.util.make_text_document_params(), position = { line = line, character = character } }, 20000)
  return answers[id].result
end
assert(ask("textDocument/definition", 1, 22).range.start.character == 5)
assert(ask("textDocument/hover", 1, 22).contents.value:find("rule half"))
vim.api.nvim_buf_set_text(0, 0, 22, 0, 23, { "2" })
assert(vim.wait(20000, function() return #vim.diagnostic.get(0) == 0 end), "the change was not seen")
assert(#ask("textDocument/completion", 1, 21).items > 20)
print("fine")
END
XDG_CACHE_HOME=$folder/cache "$nvim" --clean --headless -c "luafile $folder/test.lua" -c 'qa!' 2>"$folder/said" || true
cat "$folder/said"
grep -q fine "$folder/said"
