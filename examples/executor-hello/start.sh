#!/bin/bash
# What the platform starts. It learns nothing, and answers every task in the form that the platform takes.
set -eu

asked() { grep -q "^$1: true" /in/env.yaml; }
task=$(sed -n 's/^task_id: *//p' /in/env.yaml)

# Rewritten as a whole: the platform reads it at any moment.
report() {
  printf '%s\t%s\t%s\t2\t0\n' "$task" "$(date +%s.%N)" "$1" >/out/monitor.txt.new
  mv /out/monitor.txt.new /out/monitor.txt
}

report 0.1
sed -n 's/^greeting: *//p' /in/config.yaml

if asked run_training; then
  echo 'nothing was learnt' >/out/models/hello.txt
  cat >/out/models/result.yaml <<RESULT
best_stage_name: hello
mAP: 0.0
model_stages:
  hello: {stage_name: hello, files: [hello.txt], timestamp: $(date +%s), mAP: 0.0}
RESULT
else
  if asked run_mining; then
    # All images, the first one first: scores must fall, since the platform takes lines from the top.
    lines=$(grep -c . /in/candidate-index.tsv)
    awk -v n="$lines" 'NF { printf "%s\t%.6f\n", $1, 1 - (NR - 1) / n }' /in/candidate-index.tsv >/out/result.tsv
  fi
  if asked run_infer; then
    echo '{"detection": {}}' >/out/infer-result.json
  fi
fi

report 1.0
