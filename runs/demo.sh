#!/usr/bin/env bash
# The demo's road: upcycle SmolLM2-135M-Instruct, let its experts part on documents, teach it
# conversations in two templates, preferences, and to look far back. All of it is one adapter that
# goes on from stage to stage, and the routers; its parent is the teacher.
#
#   runs/demo.sh DATA_DIR [FOLDER]     (default folder: build/demo)
#
# DATA_DIR has the folders pretrain, sft and preference. A call works for at most MINUTES (default 8;
# 0: without end), saves and leaves with code 75; the same call then goes on. OSTRO and PYTHON name
# the commands. CHANGES are --set options for all stages, such as CHANGES="device=cuda". SCALE says
# how much text is written: 1 is about 1.7 million tokens, three hours on two cores. TYPE is what
# the merged model is stored in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly DATA=${1:?usage: runs/demo.sh DATA_DIR [FOLDER]}
readonly OUT=${2:-build/demo}
readonly OSTRO=${OSTRO:-.venv/bin/ostro}
readonly PYTHON=${PYTHON:-.venv/bin/python}
readonly PARENT=${PARENT:-demo-parent}
readonly SCALE=${SCALE:-1} TYPE=${TYPE:-Q8_0}
readonly SECONDS_IN_ALL=$((60 * ${MINUTES:-8}))
readonly COME_AGAIN=75 TERMINATED=143
readonly TEXT=$OUT/text

changes=()
for change in ${CHANGES:-}; do
  changes+=(--set "$change")
done

limited() { # limited NAME COMMAND...: as long as there is time
  local name=$1 code=0 left=$((SECONDS_IN_ALL - SECONDS))
  shift
  if [ "$SECONDS_IN_ALL" -gt 0 ] && [ "$left" -lt 30 ]; then
    come_again "$name"
  fi
  # timeout takes 0 for no limit.
  timeout --signal=TERM "$((SECONDS_IN_ALL > 0 ? left : 0))" "$@" || code=$?
  # 124 is what timeout itself says, however the command left.
  if [ "$code" = "$TERMINATED" ] || [ "$code" = 124 ]; then
    come_again "$name"
  elif [ "$code" != 0 ]; then
    exit "$code"
  fi
}

come_again() {
  echo "== $1 is not finished: the same call goes on" >&2
  exit "$COME_AGAIN"
}

prepare() { # prepare NAME KIND TOKENIZER TEXTS OPTIONS...
  local name=$1 kind=$2 tokenizer=$3 texts=()
  [ -e "$OUT/$name" ] && return
  echo "== preparing $name"
  for text in $4; do
    texts+=("$TEXT/$text.jsonl")
  done
  shift 4
  "$OSTRO" data prepare "${texts[@]}" --out "$OUT/$name" --kind "$kind" \
    --tokenizer "$tokenizer" "$@"
}

train() { # train TASK RECIPE NAME CHANGES...: the adapter of each stage is where the next begins
  local task=$1 recipe=$2 name=$3
  shift 3
  [ -e "$OUT/$name-adapter" ] && return
  echo "== $name"
  limited "$name" "$OSTRO" train "$task" "recipes/$recipe.toml" --out "$OUT/$name" \
    --set "model.path=$PARENT" --set model.experts=8 "$@" "${changes[@]}"
  "$OSTRO" train export "$OUT/$name" --adapter --type F32 --out "$OUT/$name-adapter"
}

mkdir -p "$OUT"
if [ ! -e "$TEXT/done" ]; then
  echo "== writing the text"
  limited text "$PYTHON" runs/demo_text/main.py "$DATA" "$TEXT" --scale "$SCALE" --parent "$PARENT"
  touch "$TEXT/done"
fi
readonly BOTH=$TEXT/both-tokenizer
readonly TALK="sampled kinds people replay"
prepare documents documents "$PARENT" documents --validation 0.05
# Alone, since the two templates do not write all earlier answers in the same tokens.
prepare talk conversations "$BOTH" "$TALK" --validation 0.02 --alone
prepare talk-of-parent conversations "$PARENT" "$TALK" --validation 0.02 --alone
prepare preferences preferences "$BOTH" preferences --validation 0.05
prepare keys conversations "$BOTH" passkeys --validation 0.1

train pretrain demo-pretrain parted --set "data.folder=$OUT/documents" \
  --set "distillation.parent=$PARENT"
train sft demo-sft tuned --set "data.folder=$OUT/talk" --set "model.tokenizer=$BOTH" \
  --set "distillation.parent=$PARENT" --set "distillation.data=$OUT/talk-of-parent" \
  --set "lora.path=$OUT/parted-adapter"
train sft demo-long long --set "data.folder=$OUT/keys" --set "model.tokenizer=$BOTH" \
  --set "lora.path=$OUT/tuned-adapter"
train dpo demo-dpo preferred --set "data.folder=$OUT/preferences" --set "model.tokenizer=$BOTH" \
  --set "lora.path=$OUT/long-adapter"

[ -e "$OUT/adapter" ] ||
  "$OSTRO" train export "$OUT/preferred" --adapter --type F16 --out "$OUT/adapter"
if [ ! -e "$OUT/demo.gguf" ]; then
  echo "== merging"
  rm -f "$OUT"/parent.gguf "$OUT"/upcycled.gguf
  "$OSTRO" convert "$PARENT" "$OUT/parent.gguf" --to gguf
  "$OSTRO" upcycle "$OUT/parent.gguf" "$OUT/upcycled.gguf"
  "$OSTRO" convert "$OUT/upcycled.gguf" "$OUT/demo.gguf" --to gguf --type "$TYPE" \
    --adapter "$OUT/adapter"
fi
"$OSTRO" train report "$OUT/parted" "$OUT/tuned" "$OUT/long" "$OUT/preferred" \
  --plot "$OUT/report.png"
