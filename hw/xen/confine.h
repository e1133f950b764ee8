/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * confine: gives up every right that serving the guest does not need. To be called when everything
 * is open and before the first byte of guest data is looked at. docs/xen.md lists what stays
 * allowed.
 */
#ifndef HW_XEN_CONFINE_H
#define HW_XEN_CONFINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "hw/core/err.h"

struct hypervisor;

struct confine_config {
    bool restricted;        /* limit the Xen handles to the domain (-xen-domid-restrict) */
    const char *chroot_dir; /* or NULL */
    bool run_as;            /* become uid, gid */
    uid_t uid;
    gid_t gid;
    bool seccomp;    /* system-call filter, no core dumps, no capabilities; off: -sandbox off */
    bool open_files; /* the filter lets files be opened by name, for reading (a CD changed by name)
                      */
    bool window;     /* there is a window's thread, which is yet to narrow its own filter */
};

/*
 * In this order: Xen handles, resource limits, chroot, user, no new privileges, system-call filter
 * (for all threads that exist). hv is needed only if restricted. False and *err at the first step
 * that fails; the process is then somewhere between and must end.
 */
bool confine(const struct confine_config *config, struct hypervisor *hv, struct err *err);

/*
 * The companion process's: no core dumps, little memory, and with `filter` no capabilities, no new
 * privileges and a list of what a raw hypercall and a question to xenstored need on descriptors
 * that are open. False, *err and errno at the first step that fails.
 */
bool confine_companion(bool filter, struct err *err);

/*
 * The connections' process' (reconnect=): the same, and a list of what connecting stream sockets
 * takes.
 */
bool confine_connector(bool filter, struct err *err);

/*
 * The PV devices' process: no core dumps, the user if run_as says so, and with `seccomp` no
 * capabilities, no new privileges and a list: grants, event channels, xenstore; with open_files,
 * images too (opened by name, never made) and the one capability to open another user's. No
 * hypercall, nothing of the device model's. The other fields do not count.
 */
bool confine_backend(const struct confine_config *config, struct err *err);

struct confine_network_config {
    bool run_as; /* become uid, gid; else nobody, if we are root */
    uid_t uid;
    gid_t gid;
    bool seccomp;    /* all that follows; without it, only limits, and the user if run_as says so */
    bool restricted; /* no socket is made; those that listen accept */
    const char *folder; /* the only one with files, or NULL */
};

/*
 * The user-mode network's process': no core dumps, bounded memory and descriptors, a root directory
 * with a copy of resolv.conf and `folder` (hw/xen/own_root.h), the user, no capabilities, no new
 * privileges and a list: TCP and UDP sockets, files opened for reading. False and *err at the first
 * step that fails.
 */
bool confine_network(const struct confine_network_config *config, struct err *err);

/*
 * The window's thread alone, which must be there before confine(). First when it has its connection
 * to the X server: no capabilities. Not if the process is to become another user: that takes them
 * from every thread, and needs them in every thread. False and *err if not.
 */
bool confine_window_open(struct err *err);

/*
 * Then, after confine() with a filter and `window`: another filter beside that one, of what an open
 * connection to an X server, memory and waiting need, and nothing else of what the process still
 * may. False and *err if not.
 */
bool confine_window(struct err *err);

#endif
