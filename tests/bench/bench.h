/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench: rows of figures, and who fills them. A device model under measurement belongs to a child
 * process of its own, held as long as it is wanted.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <math.h>

#include "dm.h"
#include "pc.h"

#define KINDS       3
#define MAX_PAIRS   64
#define MAX_FLEET   60
#define RAM_MB      64u
#define VCPU_BUFFER UINT64_C(0x200000)
#define VCPU_TABLE  UINT64_C(0x90000)

enum row {
    START,
    RSS_ANON,
    VM_RSS,
    PSS,
    RSS_ANON_50,
    VM_RSS_50,
    PSS_50,
    PROCESSES,
    THREADS,
    FILES,
    BINARY,
    LIBRARIES,
    LOADED,
    IDLE_WAKEUPS,
    IDLE_CPU,
    VIEWED_WAKEUPS,
    VIEWED_CPU,
    TEXT_TIME_RAW,
    TEXT_CPU_RAW,
    TEXT_TIME_TIGHT,
    TEXT_CPU_TIGHT,
    PAINT_TIME_RAW,
    PAINT_CPU_RAW,
    PAINT_TIME_TIGHT,
    PAINT_CPU_TIGHT,
    /* Moving pictures: of each scene, for one viewer and for eight: VIEW_FIGURES rows. */
    VIEW_FIRST,
    VIEW_END = VIEW_FIRST + 18,
    ANSWER_1 = VIEW_END, /* a key to the screen */
    ANSWER_8,
    STALL_NONE, /* a port read while a film runs; while its viewer takes nothing; the ratio */
    STALL_ONE,
    STALL_RATIO,
    NEXT_1,
    NEXT_10,
    NEXT_50,
    TOTAL_1,
    TOTAL_10,
    TOTAL_50,
    FLEET_WAKEUPS,
    FLEET_CPU,
    /* What is timed has the two following columns: each on a CPU of its own, both on one, */
    TIMED_FIRST,
    PORT_READ = TIMED_FIRST,
    PORT_WRITE,
    MEM_READ,
    MEM_WRITE,
    CONFIG_READ,
    PORT_PAUSE,
    INSW,
    MOVS,
    PIO_READ,
    PIO_WRITE,
    DMA_R4K,
    DMA_R64K,
    DMA_R128K,
    DMA_W4K,
    DMA_W64K,
    DMA_W128K,
    TIMED_END,
    TIMED = TIMED_END - TIMED_FIRST,
    ROWS = TIMED_FIRST + 3 * TIMED /* … and both on one with other work on every CPU */
};

enum place { APART, TOGETHER, BUSY, PLACES };

/* NAN: not measured. */
struct figures {
    double at[ROWS];
};
void figures_clear(struct figures *f);

/* --- one device model in a child process (child.c) --- */

struct setup {
    enum dm_kind kind;
    unsigned number;  /* makes the domain's id, and its VNC port */
    unsigned vnc;     /* TCP port; 0: no screen */
    size_t disk;      /* bytes of its disk image */
    bool idle_viewer; /* the child keeps a viewer that only watches */
};

struct held {
    pid_t child, dm;
    int in, out;
    double start_ms; /* exec to running */
    char dir[64];
};

/* Starts both; false: the device model did not run (its log is on stderr). */
bool held_start(struct held *h, const struct setup *s);
void held_end(struct held *h);

/* The same, and the child does `work`; its figures are added to `f`. */
bool held_run(const struct setup *s,
              bool (*work)(struct xenstub *x, const struct setup *s, struct figures *f),
              struct figures *f);

/* --- what the kernel knows of a device model's processes (usage.c) --- */

struct usage {
    double rss_anon, vm_rss, pss; /* KiB; without the guest's memory */
    double processes, threads, files;
    double switches, cpu_us;
};

/* memory: with the memory, which takes longest. */
struct usage usage_of(pid_t dm, bool memory);

/* Bytes in KiB: what an executable loads; with the libraries it names; with all it has loaded. */
double size_of_binary(const char *path);
double size_with_libraries(const char *path);
double size_loaded(pid_t dm);

/* --- rows of one device model --- */

/* access.c: all timed rows, in every place. */
bool timed_rows(struct xenstub *x, const struct setup *s, struct figures *f);
/* For perf: "read", "write", "pio", "dma", "dmaw" again and again. */
bool loop_for_profile(enum dm_kind kind, const char *work, unsigned seconds, bool apart);
/* screen.c: the rows with a viewer. */
bool screen_rows(struct xenstub *x, const struct setup *s, struct figures *f);

/* polling.c: what polling takes and gives; prints its own table. */
bool polling_table(unsigned pairs);

/* disks.c: images of several kinds on IDE, AHCI and PV; prints its own table. `only`: the disks
 * whose name starts so ("IDE"); NULL: all. */
bool disks_table(unsigned pairs, const char *only);
/* nets.c: frames through network cards; prints its own table. */
bool nets_table(unsigned pairs);

/* user.c: TCP and UDP between the guest and the host through the user-mode network; prints its own
 * table. */
bool user_table(unsigned pairs);

/* viewers.c: moving pictures to several viewers. */
bool viewer_rows(struct xenstub *x, const struct setup *s, struct figures *f);

/* The viewer that only watches: until a byte comes on fd. */
void watch_idly(struct xenstub *x, unsigned port, int fd);

/* --- odds and ends (odds.c) --- */

double now_us(void);
double median(const double *v, unsigned n);
/* Puts the calling thread (the vCPU) and the device model's threads each on a CPU. */
void place_on(pid_t dm, int vcpu_cpu, int dm_cpu);
/* Something that computes on every CPU. */
void hogs_start(void);
void hogs_end(void);

extern unsigned rounds; /* blocks of each timing */

/* The median of blocks of `per` calls: us per call. */
#define TIMED_US(per, expression)                   \
    __extension__({                                 \
        double block_[MAX_PAIRS];                   \
        for (unsigned b_ = 0; b_ < rounds; b_++) {  \
            double t_ = now_us();                   \
            for (unsigned i_ = 0; i_ < (per); i_++) \
                expression;                         \
            block_[b_] = (now_us() - t_) / (per);   \
        }                                           \
        median(block_, rounds);                     \
    })

#endif
