#!/bin/sh
# Slurm's TaskProlog. For the batch step of a SkyPilot allocation, links the node image to the paths where
# SkyPilot looks for installed files: uv, the runtime, the wheel's hash, the user's environment.
#
# Before that, for every step: each step is a session, and on kernels that schedule by session (autogroup), idle
# priority counts only within a session. So the session as a whole gets a lower priority.
{ echo @NICE@ > /proc/self/autogroup; } 2>/dev/null
[ -n "$SLURM_STEP_ID" ] && exit 0
[ -n "$SLURM_JOB_NAME" ] || exit 0
HOME_DIR=@HOME@/.sky_clusters/$SLURM_JOB_NAME
RUNTIME_DIR=@TMP@/$SLURM_JOB_NAME
{
mkdir -p "$HOME_DIR/.local/bin" "$HOME_DIR/.sky/wheels" "$RUNTIME_DIR/.sky"
ln -sfn "@IMAGE@/uv" "$HOME_DIR/.local/bin/uv"
ln -sfn "@IMAGE@/sky-user-env" "$HOME_DIR/sky-user-env"
ln -sfn "@IMAGE@/skypilot-runtime" "$RUNTIME_DIR/skypilot-runtime"
echo "@HASH@" > "$HOME_DIR/.sky/wheels/current_sky_wheel_hash"
# Without a pid file, a new cluster's first skylet takes every skylet of the machine for a stale one of its
# cluster, and kills them all.
[ -e "$RUNTIME_DIR/.sky/skylet_pid" ] || echo 0 > "$RUNTIME_DIR/.sky/skylet_pid"
} >/dev/null 2>&1
exit 0
