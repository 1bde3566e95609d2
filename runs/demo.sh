#!/usr/bin/env bash
# The demo's road: upcycle SmolLM2-135M-Instruct, go on pretraining with its parent as a teacher,
# fine-tune on conversations, learn preferences, export.
#
#   runs/demo.sh DATA_DIR [FOLDER]     (default folder: build/demo)
#
# DATA_DIR has the folders pretrain, sft and preference, with files that `ostro data prepare` reads.
# A call works for at most MINUTES (default 8; 0: without end), saves and leaves with code 75; the
# same call then goes on. OSTRO names the command; CHANGES are --set options for all three stages,
# such as CHANGES="device=cpu precision.recompute=true".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly DATA=${1:?usage: runs/demo.sh DATA_DIR [FOLDER]}
readonly OUT=${2:-build/demo}
readonly OSTRO=${OSTRO:-.venv/bin/ostro}
readonly PARENT=${PARENT:-demo-parent}
readonly SECONDS_IN_ALL=$((60 * ${MINUTES:-8}))
readonly COME_AGAIN=75 TERMINATED=143
# Files that are left out: text by a model whose terms forbid competing with it.
readonly LEFT_OUT=MACHINE_GENERATED

changes=()
for change in ${CHANGES:-}; do
  changes+=(--set "$change")
done

prepare() { # prepare NAME KIND FOLDER
  [ -e "$OUT/$1" ] && return
  echo "== preparing $1"
  local files
  mapfile -t files < <(find "$DATA/$3" -maxdepth 1 -name '*.jsonl*' ! -name "*$LEFT_OUT*" | sort)
  "$OSTRO" data prepare "${files[@]}" --out "$OUT/$1" --kind "$2" --tokenizer "$PARENT" \
    --validation 0.02
}

train() { # train TASK NAME DATA CHANGES...
  local task=$1 name=$2 data=$3 code=0 left=$((SECONDS_IN_ALL - SECONDS))
  shift 3
  [ -e "$OUT/$name-model" ] && return
  if [ "$SECONDS_IN_ALL" -gt 0 ] && [ "$left" -lt 30 ]; then
    come_again "$name"
  fi
  echo "== $name"
  # timeout takes 0 for no limit.
  timeout --signal=TERM "$((SECONDS_IN_ALL > 0 ? left : 0))" \
    "$OSTRO" train "$task" "recipes/demo-$task.toml" --out "$OUT/$name" \
    --set "data.folder=$OUT/$data" "$@" "${changes[@]}" || code=$?
  # 124 is what timeout itself says, however the command left.
  if [ "$code" = "$TERMINATED" ] || [ "$code" = 124 ]; then
    come_again "$name"
  elif [ "$code" != 0 ]; then
    exit "$code"
  fi
  "$OSTRO" train export "$OUT/$name" --out "$OUT/$name-model"
}

come_again() {
  echo "== $1 is not finished: the same call goes on" >&2
  exit "$COME_AGAIN"
}

mkdir -p "$OUT"
prepare documents documents pretrain
prepare conversations conversations sft
prepare preferences preferences preference

train pretrain upcycled documents --set "model.path=$PARENT" --set "distillation.parent=$PARENT"
train sft tuned conversations --set "model.path=$OUT/upcycled-model"
train dpo preferred preferences --set "model.path=$OUT/tuned-model"

"$OSTRO" train report "$OUT/upcycled" "$OUT/tuned" "$OUT/preferred" --plot "$OUT/report.png"
