#!/bin/sh
# A machine that is run by systemd, in namespaces of its own: its disk is this one's with all that is written
# kept in memory, and gone at the end. $1: a folder that is shared with it. $2: the program that it runs, whose
# end is its end. Start it with: unshare --mount --pid --fork --kill-child --cgroup --uts --ipc --net
set -eu
shared=$1
program=$2
mount --make-rprivate /
mount -t tmpfs tmpfs "$shared/disk"
cd "$shared/disk"
mkdir written work root
mount -t overlay overlay -o "lowerdir=/,upperdir=written,workdir=work" root
cd root
mount --bind "$shared" ".$shared"
mount -t proc proc proc
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs sys
mkdir -p sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
cat > etc/systemd/system/test.service << UNIT
[Unit]
DefaultDependencies=no
Requires=systemd-journald.socket
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=exec
ExecStart=$program
StandardOutput=file:$shared/out
StandardError=file:$shared/out
UNIT
: > etc/machine-id
export container=test
exec chroot . /lib/systemd/systemd --system --unit=test.service --log-target=null --show-status=no
