# Init of a node: makes the node's root, then stays until the end of standard input.
#
# Runs as pid 1 in new mount, pid, network, UTS and IPC namespaces. Standard output gets the pid
# outside of them, then `ready`. All mounts are in the node's mount namespace, so they end with
# the node's last process. SkyPilot's setup of a node changes system files as root, so the root is
# the node's own, with its files in FOLDER: what stays when the node is stopped.
#
# An ordinary user runs it as the only user of a user namespace, named root. The kernel then gives
# no overlay of the whole root and no second user: system files are copies, and the node's user
# owns them all.
#
# usage: node.sh FOLDER HOME_IMAGE UID NAME [PACKAGES]
set -eu
folder=$1 image=$2 uid=$3 name=$4 packages=${5:-}

# /proc is still the one outside.
read -r pid _ </proc/self/stat
echo "$pid"

# In a user namespace without it, the machine's root user is unknown.
[ "$(stat -c %u /)" = 0 ] && is_root=yes || is_root=
mount --make-rprivate /
# The kernel wants an empty folder for its own work, also when a stopped node starts again.
rm -rf "$folder"/work "$folder"/home-work
mkdir -p "$folder"/{root,system,work,home,home-work}
python=$(readlink -f "$image"/skypilot-runtime/bin/python || true)

# A node has no services, and setup of SkyPilot before 0.14 fails if sshd cannot be reloaded as one.
service='#!/bin/sh
exit 0'

overlay() { # LOWER UPPER WORK TARGET
    # Nothing that a node writes has to survive the machine.
    local options=lowerdir=$1,upperdir=$2,workdir=$3,volatile
    [ $is_root ] || options+=,userxattr
    mount -t overlay node -o "$options" "$4"
}

root_of_overlay() {
    [ "$(stat -c %u "$folder"/home)" = "$uid" ] || chown "$uid:$uid" "$folder"/home
    overlay / "$folder"/system "$folder"/work "$folder"/root
    cd "$folder"/root
    # Copied, since layers of an overlay must not lie within each other. A node that starts again
    # has them.
    if [ -n "$packages" ] && ! [ -e "$folder"/packages ]; then
        cp -a "$packages"/etc "$packages"/usr .
        touch "$folder"/packages
    fi
    rm -f usr/sbin/service
    echo "$service" >usr/sbin/service
    chmod 755 usr/sbin/service
    # Left out: the files of users.
    local path
    for path in root home srv mnt media; do
        [ ! -d $path ] || mount -t tmpfs -o mode=755 tmpfs $path
    done
}

root_of_copies() {
    mount --bind "$folder"/system "$folder"/root
    cd "$folder"/root
    local path
    for path in /*; do
        if [ -L "$path" ]; then
            [ -L ".$path" ] || cp -P "$path" ".$path"
        else
            case $path in
            # Others are made below, or left out: the files of users, and of the hardware.
            /bin | /sbin | /lib | /lib64 | /opt) mkdir -p ".$path" && mount --rbind "$path" ".$path" ;;
            esac
        fi
    done
    mkdir -p dev etc home proc root run sys tmp usr var/{cache,lib,log,tmp} "$folder"/usr/bin
    if ! [ -e "$folder"/packages ]; then
        # Unreadable files are left out.
        cp -r --preserve=mode,links /etc/. etc 2>/dev/null || true
        [ -z "$packages" ] || cp -r "$packages"/etc/. etc 2>/dev/null || true
        touch "$folder"/packages
    fi
    # One user cannot become another: the node's user owns the node's files.
    cat >"$folder"/usr/bin/sudo <<'END'
#!/bin/bash
PATH=/usr/local/sbin:/usr/sbin:/sbin:$PATH
while [[ ${1:-} == -* ]]; do
    case $1 in -u | -g | -h | -p) shift ;; --) shift; break ;; esac
    shift
done
while [[ ${1:-} == *=* ]]; do export "$1"; shift; done
exec "$@"
END
    chmod 755 "$folder"/usr/bin/sudo
    mkdir -p "$folder"/usr/sbin
    echo "$service" >"$folder"/usr/sbin/service
    chmod 755 "$folder"/usr/sbin/service
    mount -t overlay node -o "lowerdir=$folder/usr${packages:+:$packages/usr}:/usr" usr
}

if [ $is_root ]; then root_of_overlay; else root_of_copies; fi

hostname "$name"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
# Memory limits of the machine, which Ray reads.
[ ! -d sys/fs/cgroup ] || mount --rbind /sys/fs/cgroup sys/fs/cgroup
if [ $is_root ]; then
    # Settings of the kernel and its groups are the machine's.
    for path in proc/sys proc/sysrq-trigger; do
        [ ! -e $path ] || mount --bind $path $path
    done
    awk -v at="$folder/root/" '
        index($5, at "sys/fs/cgroup") == 1 || index($5, at "proc/sys") == 1 {print $5}
    ' /proc/self/mountinfo | while read -r path; do mount -o remount,ro,bind "$path"; done
fi

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
for file in passwd group; do
    grep -v -e '^ubuntu:' -e '^sshd:' -e "^[^:]*:[^:]*:$uid:" etc/$file >run/$file || true
done
cat >>run/passwd <<END
ubuntu:*:$uid:$uid::/home/ubuntu:/bin/bash
sshd:*:$((uid + 1)):65534::/run/sshd:/usr/sbin/nologin
END
echo "ubuntu:x:$uid:" >>run/group
# A terminal cannot be given to a group that the user is not in; without `tty`, sshd does not try.
[ $is_root ] || sed -i '/^tty:/d' run/group
for file in passwd group; do cat run/$file >etc/$file && rm run/$file; done
rm -f etc/sudoers etc/hosts etc/resolv.conf
printf '%s\n' 'Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"' \
    'root ALL=(ALL:ALL) ALL' 'ubuntu ALL=(ALL:ALL) NOPASSWD:ALL' >etc/sudoers
chmod 440 etc/sudoers
echo "127.0.0.1 localhost $name" >etc/hosts
# No name server: names are not found at once, instead of after a time limit.
: >etc/resolv.conf
mkdir -p home/ubuntu
overlay "$image" "$folder"/home "$folder"/home-work home/ubuntu
# The image's Python may be in a folder that the root lacks.
if [[ -e $python && ! -e .$python ]]; then
    python=$(dirname "$(dirname "$python")")
    mkdir -p ".$python"
    mount --rbind "$python" ".$python"
fi

cp "$folder"/sshd_config "$folder"/authorized_keys run/skyload
chmod 644 run/skyload/*
ip link set lo up
# Instance metadata, by which programs on an instance find the credentials of its role.
ip address add 169.254.169.254/32 dev lo

pivot_root . run/old
cd /
umount --lazy /run/old
rmdir /run/old
[ ! -x /usr/bin/ssh-keygen ] || ssh-keygen -q -t ed25519 -N '' -f /run/skyload/host_key
# While waiting, bash reaps processes whose parents are gone. Then it ends all others, and reaps
# them: the kernel forgets the CPU time of those that end with an init that is killed.
wait='echo ready; exec >/dev/null; while read -r _; do :; done
[ $$ = 1 ] || exit 1
for _ in {1..100}; do kill -KILL -1 2>/dev/null || break; sleep 0.02 || :; done'
if [ $is_root ]; then
    eval "$wait"
else
    # From here on, the only user is named ubuntu.
    exec unshare --user --map-user="$uid" --map-group="$uid" bash -c "$wait"
fi
