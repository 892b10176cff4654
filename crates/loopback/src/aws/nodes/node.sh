# Init of a node: makes the node's root, then stays until the end of standard input.
#
# Runs as pid 1 in new mount, pid, network, UTS and IPC namespaces. Standard output gets the pid
# outside of them, then `ready`. All mounts are in the node's mount namespace, so they end with
# the node's last process. SkyPilot's setup of a node changes system files as root: an overlay
# of the machine's whole root keeps the changes in FOLDER.
#
# usage: node.sh FOLDER HOME_IMAGE UID NAME [PACKAGES]
set -eu
folder=$1 image=$2 uid=$3 name=$4 packages=${5:-}

# /proc is still the one outside.
read -r pid _ </proc/self/stat
echo "$pid"

mount --make-rprivate /
# The kernel wants an empty folder for its own work, also when a stopped node starts again.
rm -rf "$folder"/work "$folder"/home-work
mkdir -p "$folder"/root "$folder"/system "$folder"/work "$folder"/home "$folder"/home-work
[ "$(stat -c %u "$folder"/home)" = "$uid" ] || chown "$uid:$uid" "$folder"/home
# Nothing that a node writes has to survive the machine.
mount -t overlay node \
    -o "lowerdir=/,upperdir=$folder/system,workdir=$folder/work,volatile" "$folder"/root
cd "$folder"/root
# Copied, since layers of an overlay must not lie within each other. A node that starts again has
# them.
if [ -n "$packages" ] && ! [ -e "$folder"/packages ]; then
    cp -a "$packages"/etc "$packages"/usr .
    touch "$folder"/packages
fi

mount -t proc proc proc
echo "$name" >proc/sys/kernel/hostname
# Settings of the kernel are the machine's.
for path in proc/sys proc/sysrq-trigger; do
    [ -e $path ] || continue
    mount --bind $path $path
    mount -o remount,ro,bind $path
done
mount -t sysfs -o ro sysfs sys
# Memory limits of the machine, which Ray reads.
[ -d sys/fs/cgroup ] && mount --rbind /sys/fs/cgroup sys/fs/cgroup
awk -v at="$folder/root/sys/fs/cgroup" 'index($5, at) == 1 {print $5}' /proc/self/mountinfo |
    while read -r path; do mount -o remount,ro,bind "$path"; done

# No device but these, and no socket of systemd or D-Bus in /run.
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty fuse; do
    [ -e /dev/$device ] || continue
    : >dev/$device
    mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for number in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${number%:*}" "dev/${number#*:}"; done
for path in tmp dev/shm; do mount -t tmpfs -o mode=1777 tmpfs $path; done
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/sshd run/skyload run/old

# The user exists in the node alone; `*` is no password, but not locked either.
users() { grep -v -e '^ubuntu:' -e '^sshd:' "$1" || true; }
for file in passwd group; do users etc/$file >run/$file; done
cat >>run/passwd <<END
ubuntu:*:$uid:$uid::/home/ubuntu:/bin/bash
sshd:*:$((uid + 1)):65534::/run/sshd:/usr/sbin/nologin
END
echo "ubuntu:x:$uid:" >>run/group
for file in passwd group; do cat run/$file >etc/$file && rm run/$file; done
rm -f etc/sudoers etc/hosts etc/resolv.conf
printf '%s\n' 'root ALL=(ALL:ALL) ALL' 'ubuntu ALL=(ALL:ALL) NOPASSWD:ALL' >etc/sudoers
chmod 440 etc/sudoers
echo "127.0.0.1 localhost $name" >etc/hosts
# No name server: names are not found at once, instead of after a time limit.
: >etc/resolv.conf
mkdir -p home/ubuntu
mount -t overlay home \
    -o "lowerdir=$image,upperdir=$folder/home,workdir=$folder/home-work,volatile" home/ubuntu

cp "$folder"/sshd_config "$folder"/authorized_keys run/skyload
chmod 644 run/skyload/*
ip link set lo up

pivot_root . run/old
cd /
umount --lazy /run/old
rmdir /run/old
[ ! -x /usr/bin/ssh-keygen ] || ssh-keygen -q -t ed25519 -N '' -f /run/skyload/host_key
echo ready
exec >/dev/null
# While waiting, bash reaps processes whose parents are gone.
while read -r _; do :; done
