/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qmp: the control sockets of the toolstack. It speaks JSON to one client per socket on one side,
 * and on the other calls the plain functions of a target, so that nobody else needs to know JSON.
 * Wire format: QEMU's docs/interop/qmp-spec.txt.
 */
#ifndef TOOLSTACK_QMP_H
#define TOOLSTACK_QMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block/block.h"
#include "hw/core/err.h"
#include "hw/xen/hypervisor.h"
#include "net/net.h"
#include "toolstack/config.h"
#include "ui/vnc.h"

struct display;
struct input;
struct loop;
struct qmp;

/* What query-status says; the names are QMP's RunState. */
enum qmp_run_state {
    QMP_PRELAUNCH, /* -S, never run yet */
    QMP_INMIGRATE, /* -incoming, before the state is loaded */
    QMP_PAUSED,    /* stopped by `stop`, or loaded and not started (-S -incoming) */
    QMP_RUNNING,
    QMP_IO_ERROR,    /* stopped because an image failed (werror=stop …) */
    QMP_SHUTDOWN,    /* the guest has powered off (-no-shutdown) */
    QMP_POSTMIGRATE, /* state saved, disks handed over */
};

struct qmp_chardev_info {
    const char *label;    /* "serial0" */
    const char *filename; /* "pty:/dev/pts/3" */
    bool frontend_open;
};

struct qmp_vnc_info {
    const char *host;    /* numeric address listened on; with unix_path unused */
    const char *service; /* TCP port as text: "5900" */
    bool ipv6;
    const char *unix_path;         /* or NULL */
    bool password;                 /* a password is asked for */
    const struct vnc_address *web; /* the web port, or NULL */
    unsigned clients;
    struct vnc_address viewers[VNC_MAX_CLIENTS]; /* the clients */
};

struct qmp_block_info {
    const char *id;     /* "ide0-hd0", "ide-5632" */
    const char *qdev;   /* -device's id, or NULL */
    bool cdrom, floppy; /* the medium can be changed */
    bool locked;        /* by the guest (PREVENT MEDIUM REMOVAL) */
    bool tray_open;     /* CD only */
    bool inserted;      /* there is a medium; the rest is only then meaningful */
    const char *file;
    const char *node_name; /* -blockdev's, or NULL */
    bool read_only;
    enum block_format format;
    enum block_cache cache;
    uint64_t bytes;
    const struct block_stats *stats; /* or NULL: all zero */
    enum block_io_status io_status;
    enum block_detect_zeroes detect_zeroes;
    const struct block_limits *limits; /* or NULL: none */
};

struct qmp_pci_region {
    unsigned bar; /* 0..6; 6 is the expansion ROM */
    bool io;
    bool prefetch;
    uint64_t address; /* PCI_UNMAPPED (~0) when not mapped */
    uint64_t size;
};

struct qmp_pci_info {
    const char *qdev_id; /* "" if it has no name */
    unsigned slot, function;
    uint32_t class_code; /* 24 bits */
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint8_t irq_pin; /* 0 none, 1..4 */
    uint8_t irq;     /* interrupt line register */
    struct qmp_pci_region regions[7];
    size_t region_count;
};

/* A range in which a device answers (info mtree). */
struct qmp_io_range {
    const char *name;
    bool memory; /* else ports; those come first */
    uint64_t first, last;
};

struct qmp_memory_info {
    uint64_t ram_bytes, below_4g_end;
    uint64_t vram_bytes, vram_at; /* UINT64_MAX: the guest has not mapped it */
};

/* A wire: a network card, what is behind it, or both. */
struct qmp_net_info {
    const char *nic;   /* the card's name: its id, or as qemu makes it up ("rtl8139.0"); NULL: no
                          card is there, and what is said of one is without meaning */
    const char *model; /* "rtl8139" */
    uint8_t mac[NET_MAC_LEN];
    bool unplugged;     /* the guest's PV drivers have taken over */
    const char *netdev; /* the back-end's id; NULL: nothing is plugged in, and there is no more */
    char backend[256];  /* as net_describe says it */
    bool link;          /* the cable is plugged in (set_link) */
    struct net_stats stats;
    char name[32]; /* in which `nic` may lie */
};

/* announce-self: rounds, and the time between them, which gets longer. */
struct qmp_announce {
    unsigned initial_ms, step_ms, max_ms, rounds;
    uint32_t nics; /* a bit for each card, by its place in net() */
};

/* object-add of a filter-dump. */
struct qmp_capture {
    const char *id, *netdev;
    uint32_t maxlen;
    int fd;           /* a file open for writing, empty; taken over, also on failure */
    const char *file; /* its name, for messages */
};

/* A medium for blockdev-change-medium. */
struct qmp_medium {
    const char *file; /* path, for messages also when fd is given */
    int fd;           /* to use instead of opening file, or -1; taken over, success or not */
    enum block_format format;
    bool retain;    /* as the drive was configured; read_only then says nothing */
    bool read_only; /* a CD is, whatever is said */
};

/*
 * What the commands act on; the machine fills it. Every function may be NULL: lists are then empty,
 * commands answer that this is not available here (the probe run has only quit). All are called
 * from the loop, never inside another of them. A function that takes err returns false with one
 * line in *err for the peer. Functions with an index fill *info for the index-th item, counted from
 * 0, and return false behind the last; strings must stay valid until the next call.
 *
 * Events are the machine's to send (qmp_event…), whatever caused the change; `stop` of a machine
 * already stopped and `cont` of a running one succeed and send nothing.
 */
struct qmp_target {
    void *opaque;
    const char *name; /* of the guest, or NULL; the string outlives the server */
    unsigned vcpus;   /* number there at most; 0 while probing */

    enum qmp_run_state (*run_state)(void *opaque);
    bool (*stop)(void *opaque, struct err *err);
    bool (*cont)(void *opaque, struct err *err);
    void (*quit)(void *opaque); /* called once the reply has left */
    bool (*reset)(void *opaque, struct err *err);

    /* Writes the devices' state to fd (which stays the caller's; blocking) completely. live: the
     * guest goes on elsewhere; false: this is a checkpoint. */
    bool (*save_state)(void *opaque, int fd, bool live, struct err *err);
    bool (*set_dirty_log)(void *opaque, bool enable, struct err *err);

    bool (*chardev)(void *opaque, size_t index, struct qmp_chardev_info *info);
    bool (*vnc)(void *opaque, struct qmp_vnc_info *info); /* false: no VNC */
    /* As vnc_set_password and vnc_expire_password (ui/vnc.h). The string is the caller's. */
    bool (*set_vnc_password)(void *opaque, const char *password, bool view_only, struct err *err);
    bool (*expire_vnc_password)(void *opaque, time_t when, struct err *err);

    /* One call per drive in a fixed order, also for empty ones. */
    bool (*block)(void *opaque, size_t index, struct qmp_block_info *info);
    /* `index` is that of block(). Must succeed on an empty drive. force: also when the guest has
     * locked it. */
    bool (*eject)(void *opaque, size_t index, bool force, struct err *err);
    bool (*change_medium)(void *opaque, size_t index, const struct qmp_medium *medium,
                          struct err *err);

    /* Only called for a drive with a medium. */
    bool (*resize)(void *opaque, size_t index, uint64_t bytes, struct err *err);
    /* For a disk that the guest has unplugged and its PV driver uses (index is that of block()), or
     * one that only is a PV disk (-1, and the toolstack's name for it: "xvdb"). */
    bool (*resize_pv)(void *opaque, int index, const char *name, uint64_t bytes, struct err *err);
    bool (*set_limits)(void *opaque, size_t index, const struct block_limits *limits,
                       struct err *err);

    bool (*pci)(void *opaque, size_t index, struct qmp_pci_info *info);

    /* Cards first, in the configuration's order; then back-ends that no card has. */
    bool (*net)(void *opaque, size_t index, struct qmp_net_info *info);
    /* Plugs the cable of net(index) in, or pulls it out. */
    void (*set_link)(void *opaque, size_t index, bool up);
    void (*announce)(void *opaque, const struct qmp_announce *how);
    bool (*capturing)(void *opaque, const char *id); /* there is one with this id */
    bool (*capture)(void *opaque, const struct qmp_capture *what, struct err *err);
    bool (*end_capture)(void *opaque, const char *id); /* false: there is none with this id */

    /* What a person sees and touches; NULL: nothing. */
    struct input *input;
    struct display *display;

    bool (*wakeup)(void *opaque, struct err *err);      /* from S3 */
    bool (*press_power)(void *opaque, struct err *err); /* the ACPI power button */
    /* Begins to write an overlay into the image it lies on, `below` (NULL: *err says how far it is,
     * or what is missing); `index` is that of block(), with a medium. */
    bool (*commit)(void *opaque, size_t index, const struct qmp_medium *below, struct err *err);
    /* `len` bytes at a guest-physical address, within a page; false: no memory is there. */
    bool (*read_memory)(void *opaque, uint64_t addr, void *buf, size_t len);
    /* vCPU 0's, to find virtual addresses in it. */
    bool (*paging)(void *opaque, struct hv_paging *paging, struct err *err);
    bool (*io_range)(void *opaque, size_t index, struct qmp_io_range *range);
    bool (*memory)(void *opaque, struct qmp_memory_info *info);
    bool (*ioreq_stats)(void *opaque, struct hv_ioreq_stats *stats);
    /* The index-th USB device as a line of text. */
    bool (*usb)(void *opaque, size_t index, char *text, size_t size);
    /* Plugs a USB device in; pulls one out by its id; adds a UHCI controller, whose bus is then
     * "ID.0" (only before the guest looks for it). */
    bool (*usb_plug)(void *opaque, const struct config_usb_device *what, struct err *err);
    bool (*usb_unplug)(void *opaque, const char *id, struct err *err);
    bool (*usb_add_controller)(void *opaque, const struct config_usb_controller *what,
                               struct err *err);
};

/* Makes a server without sockets; *target is kept by reference. Reads what the JSON library needs
 * from /dev/urandom, so it must be called before confinement. */
struct qmp *qmp_new(struct loop *loop, const struct qmp_target *target, struct err *err);

/* Opens one socket: path is created with mode 0600 (a stale socket there is removed), or fd is an
 * inherited listening socket, which is then the server's. Called before confinement; afterwards the
 * server needs accept4, recvmsg, sendmsg, fcntl, close, epoll_ctl, clock_gettime. */
bool qmp_listen(struct qmp *qmp, const struct config_monitor *monitor, struct err *err);

/* Gives the server the descriptors of -add-fd (taken over), for /dev/fdset/N in commands. */
bool qmp_add_fds(struct qmp *qmp, const struct config_fd *fds, size_t count, struct err *err);

/* After this qmp_free leaves the sockets' files alone: a confined process cannot reach them, the
 * toolstack removes them. */
void qmp_forget_paths(struct qmp *qmp);

/* Disconnects the clients (replies and events not yet sent are tried once), closes and removes the
 * sockets. NULL is fine. Not from inside a target function. */
void qmp_free(struct qmp *qmp);

/* Sends an event without data ("STOP", "RESUME") to every client past negotiation. */
void qmp_event(struct qmp *qmp, const char *name);

/* SHUTDOWN and RESET: by_guest, and QMP's ShutdownCause ("guest-shutdown", "guest-reset",
 * "host-signal", "host-qmp-quit", "host-qmp-system-reset"). */
void qmp_event_shutdown(struct qmp *qmp, bool by_guest, const char *reason);
void qmp_event_reset(struct qmp *qmp, bool by_guest, const char *reason);

/* DEVICE_DELETED of the device with this id: it is gone. */
void qmp_event_deleted(struct qmp *qmp, const char *id);

/* DEVICE_TRAY_MOVED of a CD drive: id as in qmp_block_info, qdev may be NULL. */
void qmp_event_tray(struct qmp *qmp, const char *id, const char *qdev, bool open);

/* BLOCK_IO_ERROR of drive `index`; id and node_name as in qmp_block_info. */
void qmp_event_block_error(struct qmp *qmp, size_t index, const char *id, const char *node_name,
                           const struct block_failure *failure);

/* VNC_CONNECTED, VNC_INITIALIZED, VNC_DISCONNECTED. */
void qmp_event_vnc(struct qmp *qmp, enum vnc_change change, const struct qmp_vnc_info *server,
                   const struct vnc_address *viewer);

#endif
