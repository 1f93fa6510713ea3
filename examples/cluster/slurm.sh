#!/bin/sh
# A job array of Slurm's: each task explains its part of the pictures with the command alone, without Python.
#
#     sbatch --array=1-16 slurm.sh model.pt2 epsilon_plus_flat photos/ relevance/
#
# A task that was cut, or requeued, goes on where it was. The parts' summaries are relevance/summary.*-of-16.jsonl.
#SBATCH --job-name=relevance
#SBATCH --cpus-per-task=4
#SBATCH --requeue
set -eu
model=$1 rules=$2 input=$3 output=$4
exec ascribe run --model "$model" --rules "$rules" --input "$input" --output "$output/" --prepare imagenet --resume \
  --threads "${SLURM_CPUS_PER_TASK:-1}" --shard "$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN + 1))/$SLURM_ARRAY_TASK_COUNT"
