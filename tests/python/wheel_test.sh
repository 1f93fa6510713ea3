# The wheel, packed and installed into an environment of its own, which finds PyTorch where it is.
#   bash wheel_test.sh REPOSITORY FOLDER
set -euo pipefail
repository=$(cd "$1" && pwd)
mkdir -p "$2"
folder=$(cd "$2" && pwd)
cd "$repository"
source ./dev
[ -x build/wheel/packer/bin/pip ] || { echo "left out: ./dev wheel installs what packs it"; exit 77; }

pack_wheel "$folder"
rm -rf "$folder/fresh"
.venv/bin/python -m venv --without-pip "$folder/fresh"
packages=$("$folder/fresh/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$packages/pytorch.pth"
build/wheel/packer/bin/pip --python "$folder/fresh/bin/python" install --quiet --disable-pip-version-check --no-deps "$folder"/ascribe-*.whl

cd "$folder"  # away from the sources
export PATH="$folder/fresh/bin:$PATH"
unset PYTHONPATH
same() { [ "$2" = "$3" ] || { echo "$1: expected '$2', found '$3'"; exit 1; }; }
same "what is installed" "$packages/ascribe/__init__.py" "$(python -c 'import ascribe; print(ascribe.__file__)')"
same "the command" "ascribe $(python -c 'import ascribe; print(ascribe.__version__)')" "$(ascribe --version)"
same "types" "$packages/ascribe/py.typed" "$(ls "$packages/ascribe/py.typed")"
if strings -a "$packages"/ascribe/_core*.so | grep -F "$repository/"; then echo "the extension names the folder that it was built in"; exit 1; fi
same "the language server" 'Content-Length' "$(printf 'Content-Length: 2\r\n\r\n{}' | timeout 60 ascribe lsp 2>/dev/null | head -c 14 || true)"
python "$repository/tests/python/run.py" attach_test
ascribe run --model "$repository/examples/digits/model.pt" --input "$repository/examples/digits/three.npy" --rules epsilon_plus \
  --target 3 --output r.npy >/dev/null
echo "the wheel is $(($(stat -c %s ascribe-*.whl) / 1000)) kB"
