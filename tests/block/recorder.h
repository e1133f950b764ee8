/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * recorder: stands between the block layer and the kernel (it has the names of the system calls
 * that change a file: pwritev2, fallocate, fdatasync, io_submit, …) and notes what is written to
 * one file and when it is flushed. From the notes it makes the file as a power cut at any moment
 * may leave it: everything that a completed flush covers, and of the rest an arbitrary choice of
 * sectors.
 */
#ifndef TESTS_BLOCK_RECORDER_H
#define TESTS_BLOCK_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts to take notes of what happens to the file at path, whose present contents count as
 * durable. Flushes are noted and not passed on: nothing here outlives the test. */
void recorder_start(const char *path);
void recorder_stop(void);
void recorder_free(void);

/* Moments: each noted event, and each call of recorder_now, has its own. */
uint64_t recorder_now(void);

/* The moments just after each event: cut there. */
size_t recorder_count(void);
uint64_t recorder_moment(size_t i);

/* How a cut chooses among what is not durable. */
enum recorder_choice {
    RECORDER_NOTHING,    /* nothing of it arrived */
    RECORDER_ALL,        /* all of it */
    RECORDER_WRITES,     /* some writes, whole, in any order */
    RECORDER_SECTORS,    /* some sectors of any */
    RECORDER_LAST_FIRST, /* the newer half only */
    RECORDER_CHOICES
};

/* The file as the cut at this moment leaves it, written to path. Moments must not go back. */
void recorder_cut(uint64_t moment, enum recorder_choice choice, uint64_t seed, const char *path);

#endif
