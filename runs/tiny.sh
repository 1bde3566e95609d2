#!/usr/bin/env bash
# From nothing to a chat on two cores in under ten minutes: a tokenizer, a mixture of eight experts
# that reads two novels, learns short tasks, and learns which answers are right.
#
#   runs/tiny.sh [FOLDER]              (default: build/tiny)
#
# Every stage that is finished stays; the same command goes on where it was stopped. OSTRO names the
# command, SHORT=1 takes a few steps of each stage only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly OUT=${1:-build/tiny}
readonly OSTRO=${OSTRO:-.venv/bin/ostro}
readonly SAMPLE=runs/sample RECIPES=recipes
readonly PROMPT=$'write the first letter of the word\n\nwindow'

short=()
if [ -n "${SHORT:-}" ]; then
  short=(--set schedule.epochs=0 --set schedule.steps=6 --set log.every=2 --set validation.samples=4)
fi

stage() { # stage NAME TARGET COMMAND...: the command that makes TARGET, unless it is there.
  local name=$1 target=$2
  shift 2
  if [ -e "$target" ]; then
    echo "== $name: done before"
  else
    echo "== $name"
    "$@"
  fi
}

prepare() { # prepare FILE KIND VALIDATION
  stage "preparing $1" "$OUT/$1" "$OSTRO" data prepare "$SAMPLE/$1.jsonl" --out "$OUT/$1" \
    --kind "$2" --tokenizer "$OUT/tokenizer" --validation "$3"
}

train() { # train TASK NAME DATA CHANGES...: a run in OUT/NAME, and its model in OUT/NAME-model
  local task=$1 name=$2 data=$3
  shift 3
  if [ -e "$OUT/$name-model" ]; then
    echo "== $name: done before"
    return
  fi
  echo "== $name"
  "$OSTRO" train "$task" "$RECIPES/tiny-$task.toml" --out "$OUT/$name" \
    --set "data.folder=$OUT/$data" "$@" "${short[@]}"
  "$OSTRO" train export "$OUT/$name" --out "$OUT/$name-model"
}

mkdir -p "$OUT"
stage "training a tokenizer" "$OUT/tokenizer" \
  "$OSTRO" data tokenizer "$SAMPLE/books.jsonl" --out "$OUT/tokenizer" --vocab-size 2048
prepare books documents 0.1
prepare tasks conversations 0.05
prepare pairs preferences 0.1

train pretrain pretrained books --set "model.tokenizer=$OUT/tokenizer"
train sft tuned tasks --set "model.path=$OUT/pretrained-model"
train dpo preferred pairs --set "model.path=$OUT/tuned-model"

echo "== asking: ${PROMPT//$'\n'/ }"
"$OSTRO" chat "$OUT/preferred-model" --prompt "$PROMPT" --max-tokens 20
echo "== summary"
"$OSTRO" train report "$OUT/pretrained" "$OUT/tuned" "$OUT/preferred" --plot "$OUT/report.png"
