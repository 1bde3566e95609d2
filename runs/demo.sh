#!/usr/bin/env bash
# The demo's road: upcycle SmolLM2-135M-Instruct, let its experts part on documents, teach it
# conversations in two templates and to look far back. That is one adapter, which goes on from stage
# to stage, and the routers. A second one, on attention alone, is trained on the model that the first
# one is merged into: how to answer, preferences, and a little of the former again; in the end the
# routers are evened. The parent is the teacher.
#
#   runs/demo.sh DATA_DIR [FOLDER]     (default folder: build/demo)
#
# DATA_DIR has the folders pretrain, sft and preference. A call works for at most MINUTES (default 8;
# 0: without end), saves and leaves with code 75; the same call then goes on. OSTRO and PYTHON name
# the commands. CHANGES are --set options for all stages, such as CHANGES="device=cuda". SCALE says
# how much text is written for the first adapter, 1 is about 1.7 million tokens, three hours on two
# cores; ANSWERS_SCALE and KINDS_SCALE say it for the second. STRENGTH is how much of the first
# adapter's additions is merged in, a share of its alpha; SETTLED is how far the second one goes from
# what it was after preferences to what it was one stage later. EVEN is how far from even an expert's
# load may be in the end, as a factor. TYPE is what the merged model is stored in, ROPE_THETA the base
# that its positions turn by, a little larger than in training.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly DATA=${1:?usage: runs/demo.sh DATA_DIR [FOLDER]}
readonly OUT=${2:-build/demo}
readonly OSTRO=${OSTRO:-.venv/bin/ostro}
readonly PYTHON=${PYTHON:-.venv/bin/python}
readonly PARENT=${PARENT:-demo-parent}
readonly SCALE=${SCALE:-1} TYPE=${TYPE:-Q8_0}
readonly ANSWERS_SCALE=${ANSWERS_SCALE:-0.3} KINDS_SCALE=${KINDS_SCALE:-0.5}
readonly STRENGTH=${STRENGTH:-0.92} SETTLED=${SETTLED:-0.7} EVEN=${EVEN:-1.4}
readonly ROPE_THETA=${ROPE_THETA:-127000}
readonly SECONDS_IN_ALL=$((60 * ${MINUTES:-8}))
readonly COME_AGAIN=75 TERMINATED=143
readonly TEXT=$OUT/text ANSWERS_TEXT=$OUT/answers-text

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

write() { # write TEXT OPTIONS...: files that are there already stay
  local text=$1
  shift
  [ -e "$text/done" ] && return
  echo "== writing $(basename "$text")"
  limited "$(basename "$text")" "$PYTHON" runs/demo_text/main.py "$DATA" "$text" \
    --parent "$PARENT" "$@"
}

prepare() { # prepare NAME KIND TOKENIZER TEXT FILES OPTIONS...
  local name=$1 kind=$2 tokenizer=$3 files=()
  [ -e "$OUT/$name" ] && return
  echo "== preparing $name"
  for file in $5; do
    files+=("$4/$file.jsonl")
  done
  shift 5
  "$OSTRO" data prepare "${files[@]}" --out "$OUT/$name" --kind "$kind" \
    --tokenizer "$tokenizer" "$@"
}

train() { # train TASK RECIPE NAME CHANGES...: the adapter of a stage is where the next begins
  local task=$1 recipe=$2 name=$3
  shift 3
  [ -e "$OUT/$name-adapter" ] && return
  echo "== $name"
  limited "$name" "$OSTRO" train "$task" "recipes/$recipe.toml" --out "$OUT/$name" \
    "$@" "${changes[@]}"
  "$OSTRO" train export "$OUT/$name" --adapter --type F32 --out "$OUT/$name-adapter"
}

upcycled() { # The mixture before anything was learned.
  [ -e "$OUT/upcycled.gguf" ] && return
  rm -f "$OUT/parent.gguf"
  "$OSTRO" convert "$PARENT" "$OUT/parent.gguf" --to gguf
  "$OSTRO" upcycle "$OUT/parent.gguf" "$OUT/upcycled.gguf"
}

merged() { # merged FILE ADAPTER OPTIONS...: both adapters, the second one being ADAPTER
  local file=$1 adapter=$2
  shift 2
  [ -e "$file" ] && return
  echo "== merging $(basename "$file")"
  upcycled
  "$OSTRO" convert "$OUT/upcycled.gguf" "$file" --to gguf --type "$TYPE" \
    --adapter "$OUT/adapter-1" --adapter "$adapter" "$@"
}

mkdir -p "$OUT"
write "$TEXT" --scale "$SCALE"
touch "$TEXT/done"
# Of the guide's kinds of tasks more, since there is no end of them.
write "$ANSWERS_TEXT" --seed 1 --scale "$ANSWERS_SCALE" --only sampled replay chosen preferences
write "$ANSWERS_TEXT" --seed 1 --scale "$KINDS_SCALE" --only kinds
touch "$ANSWERS_TEXT/done"
readonly BOTH=$TEXT/both-tokenizer
readonly TALK="sampled kinds people replay"
prepare documents documents "$PARENT" "$TEXT" documents --validation 0.05
# Alone, since the two templates do not write all earlier answers in the same tokens.
prepare talk conversations "$BOTH" "$TEXT" "$TALK" --validation 0.02 --alone
prepare talk-of-parent conversations "$PARENT" "$TEXT" "$TALK" --validation 0.02 --alone
prepare keys conversations "$BOTH" "$TEXT" passkeys --validation 0.1
# The parent's part has the first of the conversations alone: of the kinds it has no say.
prepare answers conversations "$BOTH" "$ANSWERS_TEXT" "sampled replay kinds" --validation 0.02 --alone
prepare answers-of-parent conversations "$PARENT" "$ANSWERS_TEXT" "sampled replay" \
  --validation 0.02 --alone
prepare settling conversations "$BOTH" "$ANSWERS_TEXT" "sampled replay kinds chosen" \
  --validation 0.02 --alone
prepare preferences preferences "$BOTH" "$ANSWERS_TEXT" preferences --validation 0.05

readonly UPCYCLED=(--set "model.path=$PARENT" --set model.experts=8)
train pretrain demo-pretrain parted "${UPCYCLED[@]}" --set "data.folder=$OUT/documents" \
  --set "distillation.parent=$PARENT"
train sft demo-sft tuned "${UPCYCLED[@]}" --set "data.folder=$OUT/talk" \
  --set "model.tokenizer=$BOTH" --set "distillation.parent=$PARENT" \
  --set "distillation.data=$OUT/talk-of-parent" --set "lora.path=$OUT/parted-adapter"
train sft demo-long long "${UPCYCLED[@]}" --set "data.folder=$OUT/keys" \
  --set "model.tokenizer=$BOTH" --set "lora.path=$OUT/tuned-adapter"

if [ ! -e "$OUT/first" ]; then
  echo "== merging the first adapter"
  upcycled
  rm -rf "$OUT/long-adapter-F16"
  "$OSTRO" train export "$OUT/long" --adapter --type F16 --out "$OUT/long-adapter-F16"
  rm -rf "$OUT/adapter-1"
  "$PYTHON" runs/adapter_shares.py strength "$OUT/long-adapter-F16" "$OUT/adapter-1" "$STRENGTH"
  "$OSTRO" convert "$OUT/upcycled.gguf" "$OUT/first" --to hf --type BF16 \
    --adapter "$OUT/adapter-1"
fi
readonly FIRST=(--set "model.path=$OUT/first" --set "model.tokenizer=$BOTH")
train sft demo-answers answering "${FIRST[@]}" --set "data.folder=$OUT/answers" \
  --set "distillation.parent=$PARENT" --set "distillation.data=$OUT/answers-of-parent"
train dpo demo-dpo preferred "${FIRST[@]}" --set "data.folder=$OUT/preferences" \
  --set "lora.path=$OUT/answering-adapter"
# A third of an epoch, since preferences cost what was exact.
train sft demo-answers settled "${FIRST[@]}" --set "data.folder=$OUT/settling" \
  --set "distillation.parent=$PARENT" --set "distillation.data=$OUT/answers-of-parent" \
  --set "lora.path=$OUT/preferred-adapter" --set optimizer.lr=5e-4 --set schedule.epochs=0 \
  --set schedule.steps=30

if [ ! -e "$OUT/between" ]; then
  "$PYTHON" runs/adapter_shares.py between "$OUT/preferred-adapter" "$OUT/settled-adapter" \
    "$OUT/between" "$SETTLED"
fi
if [ ! -e "$OUT/adapter-2" ]; then
  merged "$OUT/uneven.gguf" "$OUT/between"
  limited "even routers" "$PYTHON" runs/even_routers.py "$OUT/uneven.gguf" "$OUT/documents/train" \
    "$OUT/between" "$OUT/adapter-2" --factor "$EVEN"
fi
merged "$OUT/demo.gguf" "$OUT/adapter-2" --rope-theta "$ROPE_THETA"
"$OSTRO" train report "$OUT/parted" "$OUT/tuned" "$OUT/long" "$OUT/answering" "$OUT/preferred" \
  "$OUT/settled" --plot "$OUT/report.png"
