// Starts the language server for `.rule` files. `npm install` in this folder brings the client that it needs; without
// it, there is highlighting alone.
const vscode = require("vscode");

let client;

exports.activate = async function (context) {
  let lsp;
  try {
    lsp = require("vscode-languageclient/node");
  } catch {
    vscode.window.setStatusBarMessage("Ascribe: `npm install` in the extension's folder brings the language server's client", 10000);
    return;
  }
  const settings = vscode.workspace.getConfiguration("ascribe");
  client = new lsp.LanguageClient(
    "ascribe",
    "Ascribe",
    { command: settings.get("server"), transport: lsp.TransportKind.stdio },
    {
      documentSelector: [{ language: "ascribe" }],
      initializationOptions: { path: settings.get("path"), command: settings.get("command"), locked: settings.get("locked") },
      synchronize: {
        configurationSection: "ascribe",
        fileEvents: vscode.workspace.createFileSystemWatcher("**/{*.rule,pack.lock}"),
      },
    }
  );
  context.subscriptions.push(client);
  try {
    await client.start();
  } catch {
    vscode.window.showErrorMessage(`Ascribe: '${settings.get("server")}' cannot be started; the setting ascribe.server says where it is`);
  }
};

exports.deactivate = () => client && client.stop();
