/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest: a hostile guest as a string of bytes. An input is a list of operations, each a header byte
 * (kind, width, a small argument), then a port, address or register as it is and the values. So an
 * input keeps its meaning when devices are added, and can be told as qtest lines (FUZZ_QTEST=1).
 *
 * What a device reads of guest memory is filled at that very moment, with the patterns that the
 * input has given so far: descriptors need not be where the device happens to look.
 */
#ifndef TESTS_FUZZ_GUEST_H
#define TESTS_FUZZ_GUEST_H

#include <stdbool.h>

#include "tests/device/machine_rig.h"
#include "tests/fuzz/fuzz.h"

/* Bits 0..3 of the header; bits 4 and 5 are the log2 of the width, 6 and 7 the argument. Then: */
enum guest_op {
    GUEST_OUT,       /* u16 port, value of the width (1, 2, 4) */
    GUEST_IN,        /* u16 port */
    GUEST_STORE,     /* u32 address, value of the width (1, 2, 4, 8) */
    GUEST_LOAD,      /* u32 address */
    GUEST_CFG_WRITE, /* u8 devfn, u8 register, value of the width (1, 2, 4) */
    GUEST_CFG_READ,  /* u8 devfn, u8 register */
    GUEST_OUTS,      /* u16 port, u16 count (of 8191), u32 repeated: one `rep outs` */
    GUEST_INS,       /* u16 port, u16 count (of 8191) */
    GUEST_STORES,    /* u32 address, u16 count (of 8191), u32 repeated */
    GUEST_LOADS,     /* u32 address, u16 count (of 8191) */
    GUEST_DMA,    /* u8 length - 1 (of 63), u8 step, bytes: one more pattern; argument 1: the only
                     one. A read of memory gets the next one, repeated, `step` added to its first
                     byte each time */
    GUEST_RAM,    /* u32 address, u8 length - 1 (of 63), bytes: into guest memory at once */
    GUEST_TIME,   /* u16: guest time goes on by that many microseconds << 4 * argument */
    GUEST_DISK,   /* u8, enum guest_disk */
    GUEST_SCREEN, /* u8, enum guest_screen */
    GUEST_EVENT,  /* u8 enum guest_event, u32 */
};

enum guest_disk {
    GUEST_DISK_STEP, /* the oldest request completes */
    GUEST_DISK_RUN,  /* all do */
    GUEST_CD_STEP,
    GUEST_DISK_FAIL_READ, /* one request, soon */
    GUEST_DISK_FAIL_WRITE,
    GUEST_DISK_FAIL_FLUSH,
    GUEST_CD_FAIL_READ,
    GUEST_DISK_HEAL,
    GUEST_DISKS,
};

enum guest_screen {
    GUEST_SCREEN_LOOK, /* it is drawn now */
    GUEST_SCREEN_WATCH,
    GUEST_SCREEN_LEAVE,
    GUEST_SCREEN_TRACK, /* the hypervisor's dirty bits work from now on, or do not */
    GUEST_SCREENS,
};

enum guest_event {
    GUEST_KEY,     /* bits 0..9 the code, 16 down */
    GUEST_POINTER, /* bits 0..9 x, 10..19 y, 20..24 buttons, 25..26 wheel */
    GUEST_RELOAD,  /* the state goes round */
    GUEST_RESET,
    GUEST_EJECT,  /* bit 0 force */
    GUEST_MEDIUM, /* bit 0 in */
    GUEST_REPEAT, /* bits 0..9: the operation before this one again so often */
    GUEST_SERIAL, /* bits 0..5: so many bytes come in at COM1, from 8..15 on */
    GUEST_LINE,   /* bit 0: somebody is at the other end of COM1; 1: it takes what is sent */
    GUEST_EVENTS,
};

struct guest;

/* A machine with its BARs placed and enabled, as firmware leaves them. */
struct guest *guest_new(void);

/* Runs the program to its end, or to the end of its budget of work. */
void guest_run(struct guest *guest, struct fuzz_input *in);

/* Saves all devices' state, loads it again and saves it once more: what a device saves it must take
 * back, and then be the same. */
void guest_reload(struct guest *guest);

/* Guest time goes on. */
void guest_wait(struct guest *guest, uint64_t ns);

/* A comment among the qtest lines. */
void guest_say(const struct guest *guest, const char *text);

/* For a migration: viewers leave, keys are let go, the devices are quiet (and stay so). */
void guest_park(struct guest *guest);

/* The host that a parked guest moves to: memory and disks with the same contents, a machine that is
 * as new and quiet, for the saved state. */
struct guest *guest_twin(const struct guest *guest);

/* Both parked: whether they read the same values since guest_new or guest_twin (`seen`), and are
 * the same in memory, disks, interrupt lines and state. */
bool guest_same(const struct guest *a, const struct guest *b);

/* The disks finish, the machine is reset and answers as a new one; then all is freed. */
void guest_free(struct guest *guest);

struct machine_rig *guest_rig(struct guest *guest);

/* Bytes that one operation takes, header included: at least 1, at most `left`. */
size_t guest_op_size(const uint8_t *p, size_t left);

/* A mutation of a program: libFuzzer's, or one of ours that knows operations and what devices there
 * are. */
size_t guest_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#endif
