/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dm: the two device models, and the argument line that libxl would give either: stdvga, one raw
 * disk, a serial line on a pty, a monitor socket. */
#ifndef TESTS_XENSTUB_DM_H
#define TESTS_XENSTUB_DM_H

#include "vcpu.h"

enum dm_kind { DM_OURS, DM_STOCK, DM_NULL };

#define DM_VGA_SLOT 3

struct dm {
    enum dm_kind kind;
    char binary[512], image[128], qmp[128];
    char qmp_arg[256], drive_arg[256], domid[16], megabytes[16], vnc_arg[32];
    char data[2][560];
    const char *argv[64];
};

/*
 * Finds the binary: HVM_DM, or hvm-dm two folders above the running program; STOCK_DM, or Debian's
 * xen-qemu-system-i386, installed or unpacked by the lab; the null device model beside the running
 * program. Fills the rest for a domain with `megabytes` of RAM. False: there is no such binary.
 */
bool dm_init(struct dm *dm, enum dm_kind kind, struct xenstub *x, unsigned megabytes);

/*
 * Its arguments before it is started; what they point to outlives dm. Another value for an option
 * that it has (the card's is "-device"); more words, up to a NULL; an option and its value taken
 * out, wherever they are.
 */
void dm_set(struct dm *dm, const char *option, const char *value);
void dm_add(struct dm *dm, const char *const *words);
void dm_drop(struct dm *dm, const char *option);

/* Gives it a screen for viewers at this TCP port of the loopback interface (5900 or more). */
void dm_set_vnc(struct dm *dm, unsigned port);

/* Writes the image: `bytes` of which byte i is dm_pattern(i). */
bool dm_make_image(const struct dm *dm, size_t bytes);
uint8_t dm_pattern(size_t i);

/* Starts it and waits for "running"; what it printed goes to stderr if that fails. */
bool dm_start(const struct dm *dm, struct xenstub *x, unsigned timeout_ms);

/* A QMP connection, behind the greeting and qmp_capabilities: a descriptor, or -1. */
int dm_qmp(const struct dm *dm);
/* Sends a command; its answer (events before it are skipped). */
bool dm_ask(int qmp, const char *command, char *answer, size_t size);

/* What it has printed: to stderr, or as a text, as far as there is room. */
void dm_show_log(struct xenstub *x);
void dm_log(struct xenstub *x, char *text, size_t size);

#endif
