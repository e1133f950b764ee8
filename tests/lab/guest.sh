# What the lab's guest can be told to do (sourced by its /init): short lines out, because every
# character on the serial port is several exits.
# SPDX-License-Identifier: GPL-2.0-or-later

# The CD, read whole through its block device: "CD <bytes> <md5>".
cd_sum() {
	echo 1 > /proc/sys/vm/drop_caches
	sum=$(md5sum < /dev/sr0) || return 1
	echo "CD $(($(cat /sys/block/sr0/size) * 512)) ${sum%% *}"
}

# How the driver talks to each drive: "MODE ata|atapi <transfer mode>".
ata_modes() {
	for dev in /sys/class/ata_device/*; do
		case $(cat "$dev/class") in ata|atapi) echo "MODE $(cat "$dev/class") $(cat "$dev/xfer_mode")" ;; esac
	done
}

# Reload the disk driver with (3) or without (0) DMA, then ata_modes.
ata_mode() {
	rmmod ata_piix && rmmod libata && insmod /modules/libata.ko "dma=$1" && insmod /modules/ata_piix.ko || return 1
	n=0
	until [ -b /dev/sda ]; do
		n=$((n + 1))
		[ $n -lt 300 ] || { echo "no disk"; return 1; }
		sleep 0.1
	done
	ata_modes
}

disks() {
	for dev in /sys/block/s[dr]? /sys/block/xvd?; do
		[ -d "$dev" ] || continue
		echo "DISK ${dev##*/} $(cat "$dev/size") $(cat "$dev/device/model" 2> /dev/null)"
	done
}

# Waits until a disk is there, or is gone.
disk_there() {
	n=0
	until [ -b "/dev/$1" ] && [ "$(cat "/sys/block/$1/size")" != 0 ]; do
		n=$((n + 1))
		[ $n -lt 300 ] || { disks; return 1; }
		sleep 0.1
	done
}

no_disk_there() {
	n=0
	while [ -d "/sys/block/$1" ]; do
		n=$((n + 1))
		[ $n -lt 300 ] || { disks; return 1; }
		sleep 0.1
	done
}

cpus() { grep -c ^processor /proc/cpuinfo; }

# A little work on each CPU at once, with disk reads from each: fails unless all have run.
spread() {
	pids=
	for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
		n=${cpu##*cpu}
		taskset $((1 << n)) labio verify /dev/sda 0 2097152 7 4096,65536 > /tmp/cpu"$n" &
		pids="$pids $!"
	done
	for pid in $pids; do wait "$pid" || return 1; done
	cat /tmp/cpu?
}

# A program of the tools' CD, which is mounted at /mnt.
tool() {
	name=$1
	shift
	/mnt/tools/ld.so --library-path /mnt/tools "/mnt/tools/$name" "$@"
}

# Random reads and writes of all sizes with 16 under way, every block verified, on several disks at once.
fio_verify() {
	jobs=
	for disk in "$@"; do jobs="$jobs --name=$disk --filename=/dev/$disk"; done
	# shellcheck disable=SC2086
	tool fio --ioengine=libaio --direct=1 --iodepth=16 --rw=randrw --bsrange=512-128k --blockalign=512 \
		--size=24m --verify=crc32c --verify_fatal=1 --do_verify=1 --randseed=7 --thread --minimal $jobs > /tmp/fio ||
		{ cut -c1-300 /tmp/fio; return 1; }
	echo "FIO $(wc -l < /tmp/fio) jobs"
}

# A file system on a disk: written, thinned out, trimmed, read back after a new mount, and checked.
fs_torture() {
	mkdir -p "/fs/$1"
	tool mke2fs -q -F -t ext4 "/dev/$1" || return 1
	mount -t ext4 "/dev/$1" "/fs/$1" || return 1
	n=0
	while [ $n -lt 40 ]; do
		n=$((n + 1))
		dd if=/mnt/vmlinuz of="/fs/$1/$n" bs=50021 skip=$n count=$n 2> /dev/null || return 1
		[ $((n % 3)) != 0 ] || rm "/fs/$1/$((n - 1))"
		[ $((n % 7)) != 0 ] || cat "/fs/$1/$n" >> "/fs/$1/$((n - 6))"
	done
	(cd "/fs/$1" && md5sum [0-9]*) > "/tmp/sums.$1"
	sync
	fstrim "/fs/$1" 2> /dev/null
	umount "/fs/$1" || return 1
	tool e2fsck -fn "/dev/$1" > /tmp/fsck || { tail -n 5 /tmp/fsck; return 1; }
	echo 3 > /proc/sys/vm/drop_caches
	mount -t ext4 "/dev/$1" "/fs/$1" || return 1
	(cd "/fs/$1" && md5sum -c -s "/tmp/sums.$1") || return 1
	umount "/fs/$1"
	echo "FS $1 $(wc -l < "/tmp/sums.$1") files"
}

# Patterns to several disks at once, from a place on, flushed block by block, until something ends it.
flood() {
	at=$1
	shift
	for disk in "$@"; do labio flushed "/dev/$disk" "$at" 67108864 21 65536 & done
	wait
}

# What the CD drive has: its size in sectors, a checksum of its start, or nothing.
cd_now() {
	if sum=$(dd if=/dev/sr0 bs=2048 count=512 2> /tmp/cd | md5sum) && [ -s /sys/block/sr0/size ] && ! grep -q 'No medium' /tmp/cd; then
		echo "CD $(cat /sys/block/sr0/size) ${sum%% *}"
	else
		echo "CD none"
		cat /tmp/cd
	fi
}

# The hard disks in the order of their places on the controllers: the driver names them as they answer.
disk_order() {
	for dev in /sys/block/sd?; do
		place=$(readlink -f "$dev/device")
		echo "${place##*/} ${dev##*/}"
	done | sort | while read place name; do echo "DISK $name"; done
}

# A text console with something to see on it, on the driver of the card; nothing blinks.
console_screen() {
	[ -d /sys/module/cirrus ] || insmod /modules/later/cirrus.ko || return 1
	sleep 2
	n=0
	printf '\033[2J\033[H\033[?25l\033[?17;0;0c' > /dev/tty1
	while [ $n -lt 16 ]; do
		printf '\033[3%d;4%dmThe quick brown fox jumps over the lazy dog \033[1m%d\033[0m\n' $((n % 8)) $(((n + 3) % 8)) $n > /dev/tty1
		n=$((n + 1))
	done
}

# The X server's own picture, with one of its drivers; the kernel's driver has to be gone for all but one of them.
x_screen() {
	if [ ! -d /x/dev ] || [ ! -e /x/usr/bin ]; then
		mkdir -p /x && for dev in /dev/sd[a-d]; do
			mount -t ext4 -o ro "$dev" /x 2> /dev/null && [ -x /x/usr/lib/xorg/Xorg ] && break
			umount /x 2> /dev/null
		done
		for dir in dev proc sys; do mount -o bind /$dir /x/$dir; done
		for dir in tmp var/log var/lib/xkb; do mount -t tmpfs none /x/$dir; done
	fi
	if [ "$1" != modesetting ] && [ -d /sys/module/cirrus ]; then
		for console in /sys/class/vtconsole/vtcon*; do
			! grep -q 'frame buffer' "$console/name" || echo 0 > "$console/bind"
		done
		rmmod cirrus || return 1
	fi
	rm -f /tmp/x.ready
	chroot /x /usr/lib/xorg/Xorg vt7 -retro -noreset -nolisten tcp -config "/etc/$1.conf" -displayfd 3 \
		3> /tmp/x.ready > /tmp/x.log 2>&1 &
	xserver=$!
	n=0
	until [ -s /tmp/x.ready ]; do
		n=$((n + 1))
		[ $n -lt 3000 ] && kill -0 $xserver || { grep -h '(EE)' /x/var/log/Xorg.0.log | cut -c1-200; return 1; }
		sleep 0.2
	done
}

x_end() {
	kill "$xserver"
	wait "$xserver" 2> /dev/null
	return 0
}

# --- network cards (point 12) ---

# The interface with a hardware address: "DEV name driver".
net_dev() {
	for net in /sys/class/net/*; do
		[ "$(cat "$net/address")" = "$1" ] || continue
		driver=$(readlink -f "$net/device/driver")
		echo "DEV ${net##*/} ${driver##*/}"
		return 0
	done
	echo "no interface has $1"
	return 1
}

# Takes one card into use and all others out of it; waits for its carrier.
net_use() {
	dev=$(net_dev "$1") || { echo "$dev"; return 1; }
	echo "$dev"
	dev=${dev#DEV }
	dev=${dev%% *}
	for net in /sys/class/net/eth*; do
		[ "${net##*/}" = "$dev" ] || ip link set "${net##*/}" down
	done
	net_add "$dev" "$2"
}

# Gives an interface an address, and waits until it carries.
net_add() {
	ip addr flush dev "$1"
	ip addr add "$2/24" dev "$1" && ip link set "$1" up || return 1
	n=0
	until [ "$(cat "/sys/class/net/$1/carrier")" = 1 ]; do
		n=$((n + 1))
		[ $n -lt 100 ] || { echo "no carrier"; return 1; }
		sleep 0.1
	done
}

# "UDPERR n": datagrams that this kernel threw away.
# Datagrams thrown away: come in, and on their way out (a full queue before the card; sendto says nothing).
udp_errors() { awk '/^Udp: [0-9]/ {print "UDPERR", $4, $7}' /proc/net/snmp; }

# Data to two counterparts at once.
tcp_both() {
	labnet tcp "$1" put "$3" > /tmp/first &
	labnet tcp "$2" get "$3" && wait $! && cat /tmp/first
}
