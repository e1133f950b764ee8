/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qmp_internal: what the transport (qmp.c), the descriptor sets and the commands share; nobody else
 * includes this. */
#ifndef TOOLSTACK_QMP_INTERNAL_H
#define TOOLSTACK_QMP_INTERNAL_H

#include <jansson.h>
#include <sys/types.h>

#include "hw/core/loop.h"
#include "toolstack/qmp.h"

#define QMP_MAX_MESSAGE (64 * 1024)   /* of a client; libxl's are a few hundred bytes */
#define QMP_MAX_DEPTH   32            /* of nested objects and arrays */
#define QMP_OUTPUT_HIGH (64 * 1024)   /* unread replies: no further command is taken */
#define QMP_OUTPUT_MAX  (1024 * 1024) /* unread replies and events: the client is dropped */
#define QMP_MAX_SCM_FDS 8             /* descriptors waiting for the command that takes them */
#define QMP_MAX_FDS     32            /* in all sets */
#define QMP_MAX_OPAQUE  4352          /* "raw:" and a path */
#define QMP_LINE        "\r\n"        /* libxl splits at exactly this */

/* A descriptor in a set. */
struct qmp_fd {
    unsigned set;
    int fd;
    char *opaque; /* or NULL */
    bool keep;    /* from the command line: stays when the last client leaves */
};

/* How far the search for the end of a message has come. */
struct qmp_scan {
    size_t at;    /* bytes looked at */
    size_t start; /* of the message, when depth > 0 */
    unsigned depth;
    bool string, escape;
    bool skip; /* up to the next newline, after an error */
};

/* One socket and its one client. */
struct qmp_monitor {
    struct qmp *qmp;
    struct qmp_monitor *next;
    char *id;
    char *path;
    dev_t dev; /* of the socket's file: only ours is removed */
    ino_t ino;
    int listen_fd;
    struct loop_source listen_source;
    struct timer accept_timer; /* no descriptor was free */

    int fd; /* of the client, or -1 */
    struct loop_source source;
    struct deferred more;
    bool negotiated;
    bool eof;    /* it will send nothing more */
    bool broken; /* to be dropped as soon as nobody is using it */
    bool busy;   /* inside pump() */
    bool quit;   /* target.quit once the output has left */

    char *in;
    size_t in_len, in_size;
    struct qmp_scan scan;
    int fds[QMP_MAX_SCM_FDS];
    size_t fd_count;

    char *out;
    size_t out_sent, out_len, out_size;
};

struct qmp {
    struct loop *loop;
    const struct qmp_target *target;
    struct qmp_monitor *monitors;
    struct qmp_fd fds[QMP_MAX_FDS];
    size_t fd_count;
    pid_t pid;
    bool forget_paths;
    struct keysend *keysend; /* NULL: nobody has sent a key */
    unsigned mouse_buttons;  /* INPUT_BUTTON_* that monitors hold down */
};

/* A command being carried out. One of result and error_class is set at the end. */
struct qmp_call {
    struct qmp *qmp;
    struct qmp_monitor *monitor;
    json_t *args; /* checked against the command's table */
    json_t *result;
    const char *error_class;
    struct err err;
};

#define QMP_GENERIC   "GenericError"
#define QMP_NOT_FOUND "CommandNotFound"
#define QMP_NO_DEVICE "DeviceNotFound"

void qmp_fail(struct qmp_call *call, const char *error_class, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Arguments, after the table has checked them. The last: false if it is not there. */
const char *qmp_arg_string(const struct qmp_call *call, const char *name);
bool qmp_arg_bool(const struct qmp_call *call, const char *name, bool fallback);
bool qmp_arg_int(const struct qmp_call *call, const char *name, json_int_t *out);

/* A target function's answer; `offered` false: the target has no such function. */
void qmp_done(struct qmp_call *call, bool offered, bool success);

/* Carries out `name`; args may be NULL. */
void qmp_dispatch(struct qmp_call *call, const char *name, json_t *args);

/* The greeting's and query-version's object. */
json_t *qmp_version(void);

/* s as a JSON string; bytes that are not UTF-8 become '?'. NULL becomes "". */
json_t *qmp_text(const char *s);

/* The drive that a command names by its device's or its own id: its index, with *info, or -1. */
int qmp_find_block(struct qmp *qmp, const char *id, struct qmp_block_info *info);

/* Sends an event to every client past negotiation; takes `data`, which may be NULL. */
void qmp_send_event(struct qmp *qmp, const char *name, json_t *data);

const char *qmp_run_state_name(struct qmp *qmp);

/* ---- qmp_block.c ---- */

void qmp_cmd_block(struct qmp_call *call);
void qmp_cmd_blockstats(struct qmp_call *call);
void qmp_cmd_named_nodes(struct qmp_call *call);
void qmp_cmd_block_resize(struct qmp_call *call);
void qmp_cmd_block_throttle(struct qmp_call *call);
void qmp_cmd_eject(struct qmp_call *call);
void qmp_cmd_change_medium(struct qmp_call *call);

/* The name of a drive's image; without one (NULL) one is made up, as QEMU does: "#block000". */
json_t *qmp_node_name(const char *name, size_t index);

/* The medium of the CD drive that the arguments id or device name. */
void qmp_change_medium(struct qmp_call *call, const char *file, const char *format,
                       const char *mode);

/* ---- qmp_vnc.c ---- */

void qmp_cmd_vnc(struct qmp_call *call);
void qmp_cmd_vnc_servers(struct qmp_call *call);
void qmp_cmd_vnc_password(struct qmp_call *call);
void qmp_cmd_set_password(struct qmp_call *call);
void qmp_cmd_expire_password(struct qmp_call *call);
void qmp_cmd_change(struct qmp_call *call);

/* ---- qmp_human.c ---- */

void qmp_cmd_human(struct qmp_call *call);
void qmp_cmd_send_key(struct qmp_call *call);
void qmp_cmd_input_send_event(struct qmp_call *call);
void qmp_cmd_mice(struct qmp_call *call);
void qmp_cmd_screendump(struct qmp_call *call);

/* A regular file, or /dev/fdset/N, open for writing and empty; -1: *err. */
int qmp_open_file(struct qmp *qmp, const char *file, struct err *err);

/* keysend_press, also for who has not pressed any yet. */
bool qmp_press_keys(struct qmp *qmp, const unsigned *codes, size_t count, unsigned hold_ms,
                    struct err *err);

/* ---- qmp_usb.c ---- */

void qmp_cmd_device_add(struct qmp_call *call);
void qmp_cmd_device_del(struct qmp_call *call);

/* ---- qmp_net.c ---- */

void qmp_cmd_set_link(struct qmp_call *call);
void qmp_cmd_rx_filter(struct qmp_call *call);
void qmp_cmd_announce(struct qmp_call *call);
void qmp_cmd_netdev_add(struct qmp_call *call);
void qmp_cmd_netdev_del(struct qmp_call *call);
void qmp_cmd_object_add(struct qmp_call *call);
void qmp_cmd_object_del(struct qmp_call *call);

/* The wire that a card's or a back-end's name means: its index in net(), with *info, or -1. */
int qmp_find_net(struct qmp *qmp, const char *name, struct qmp_net_info *info);

/* ---- qmp_fdset.c ---- */

/* Puts fd (taken over, also on failure) into a set; set < 0: a new one. Returns the set, or -1 with
 * *err. */
int qmp_fd_add(struct qmp *qmp, long long set, int fd, const char *opaque, bool keep,
               struct err *err);
bool qmp_fd_remove(struct qmp *qmp, unsigned set, int fd /* or -1: all */, struct err *err);
json_t *qmp_fd_list(const struct qmp *qmp);

/* "/dev/fdset/N": is it one? Then *fd is a copy of the set's descriptor that can be read (or
 * written), or -1 with *err. */
bool qmp_fd_file(const struct qmp *qmp, const char *file, bool write, int *fd, struct err *err);

/* Closes what clients put there (all: everything). */
void qmp_fd_clear(struct qmp *qmp, bool all);

#endif
