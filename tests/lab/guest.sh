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
