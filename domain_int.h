/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_int: what the files of the domain (domain*.c) share; nobody else includes this. */
#ifndef DOMAIN_INT_H
#define DOMAIN_INT_H

#include "bios/rom.h"
#include "block/block.h"
#include "domain.h"
#include "hw/core/loop.h"
#include "toolstack/qmp.h"
#include "ui/input.h"
#include "ui/sdl_module.h"
#include "ui/vnc_module.h"
#include "ui/web_module.h"

/* What an image's errors come back with. */
struct drive_ref {
    struct domain *domain;
    size_t index; /* of config->drives */
};

struct domain {
    const struct config *config;
    struct loop *loop;
    struct block *blocks[CONFIG_MAX_DRIVES]; /* by index of config->drives */
    struct drive_ref drive_refs[CONFIG_MAX_DRIVES];
    struct block_limits limits[CONFIG_MAX_DRIVES]; /* of the drive, whatever medium is in it */
    struct copy_down *commit; /* under way, while the guest stands still; or NULL */
    size_t commit_index;      /* of which drive */
    struct deferred io_error; /* an image failed and the guest is to stop */
    struct consoles *consoles;
    struct stream_targets *targets;      /* of streams with reconnect=; NULL: there are none … */
    struct chardev_connector *connector; /* … and then nothing that connects them */
    struct chardev_mux *muxes[CONFIG_MAX_MUXES]; /* by index of config->muxes */
    struct chardev *serial[CONFIG_MAX_SERIAL], *parallel;
    struct chardev
        *hmps[CONFIG_MAX_HMPS]; /* of the monitors for people: by index of config->hmps */
    struct hmp_console *hmp_consoles[CONFIG_MAX_HMPS];
    struct rom vga_rom;
    struct net *nets[CONFIG_MAX_NETDEVS];          /* by index of config->netdevs */
    struct capture *captures[CONFIG_MAX_CAPTURES]; /* -object filter-dump, object-add; or NULL */
    struct rom nic_roms[CONFIG_MAX_NICS];          /* by index of config->nics */
    struct timer announce;                         /* the next round of domain_announce */
    struct qmp_announce announcing;                /* what is left of it */
    struct companion *companion;
    struct backend *backend; /* serves PV devices; NULL: none without the platform device */
    struct input_keyboard pv_keyboard;
    struct input_pointer pv_pointer;
    struct hypervisor *hv;
    struct display *display;
    struct input *input;
    struct machine *machine;
    struct vnc_listen listen;     /* count 0: no VNC */
    struct vnc_listen web_listen; /* count 0: no web port */
    const struct vnc_module *screen;
    struct keymap *keymap;
    struct vnc *vnc;
    const struct sdl_module *window_module;
    struct sdl *window; /* NULL: none */
    const struct web_module *web_module;
    struct web *web;           /* the page for browsers */
    struct xenstore *xenstore; /* until the confinement */
    struct qmp_target target;
    struct qmp *qmp;
    struct deferred reset; /* RESET is to be told, behind the answer to system_reset */
    bool running;
    bool ending; /* the guest asked for power-off or reset */
    enum qmp_run_state state;
};

/* ---- domain_blocks.c: images and media ---- */

/* Opens every drive's image, and takes their locks unless the guest starts paused. */
bool domain_open_blocks(struct domain *d, struct err *err);

/* Takes the locks of all images: from now on they are ours. */
bool domain_activate_blocks(struct domain *d, struct err *err);

/* Cuts `commit` short, if it is under way: before the images are used otherwise. */
void domain_end_commit(struct domain *d);

/* The number by which a PV disk and this emulated one are the same to the toolstack; 0: it is no
 * disk, and the guest's PV drivers do not take it over. */
uint32_t domain_disk_bit(const struct config_drive *drive);

/* Of struct machine_config: PV drivers take over; a CD drive's tray has moved. */
void domain_unplug(void *opaque, unsigned mask);
void domain_tray_moved(void *opaque, size_t index, bool open);

/* Of struct qmp_target. */
bool domain_block_info(void *opaque, size_t index, struct qmp_block_info *info);
bool domain_eject(void *opaque, size_t index, bool force, struct err *err);
bool domain_change_medium(void *opaque, size_t index, const struct qmp_medium *medium,
                          struct err *err);
bool domain_commit(void *opaque, size_t index, const struct qmp_medium *below, struct err *err);
bool domain_resize(void *opaque, size_t index, uint64_t bytes, struct err *err);
bool domain_resize_pv(void *opaque, int index, const char *name, uint64_t bytes, struct err *err);
bool domain_set_limits(void *opaque, size_t index, const struct block_limits *limits,
                       struct err *err);

/* ---- domain_net.c: network cards' wires and what is behind them ---- */

/* Opens every -netdev, and the captures: before the confinement. Stopped until the guest runs. */
bool domain_open_nets(struct domain *d, struct err *err);

/* The option ROMs of the cards. */
bool domain_load_nic_roms(struct domain *d, struct err *err);

/* Closes them; no card is there any more. */
void domain_close_nets(struct domain *d);

/* The wire of config->nics[index]; NULL: nothing is plugged in. */
struct net *domain_nic_net(const struct domain *d, size_t index);

/* No frame moves while the guest stands still. */
void domain_quiesce_nets(struct domain *d);
void domain_resume_nets(struct domain *d);

/* The guest is here now, and was somewhere else: switches are told, several times. */
void domain_announce(struct domain *d);
void domain_announce_as(void *opaque, const struct qmp_announce *how);

/* ---- domain_nic.c: network cards, of struct qmp_target ---- */

bool domain_net_info(void *opaque, size_t index, struct qmp_net_info *info);
void domain_set_link(void *opaque, size_t index, bool up);
bool domain_capturing(void *opaque, const char *id);
bool domain_capture(void *opaque, const struct qmp_capture *what, struct err *err);
bool domain_end_capture(void *opaque, const char *id);

/* -device's id of the network card there, or "". */
const char *domain_pci_id(const struct domain *d, uint8_t devfn);

/* The guest's PV drivers have taken over from the cards that are on no bus any more: the toolstack
 * is told. */
void domain_tell_unplugged(struct domain *d);

/* ---- domain_run.c: running and stopping ---- */

/* Lets the guest run; true also if it does already. */
bool domain_run(struct domain *d, struct err *err);

/* Nothing of the guest is under way any more when this returns; the images may be somebody else's.
 */
bool domain_stop(struct domain *d, struct err *err);

/* Deferred by an image's failure: werror=stop and the like. */
void domain_stop_for_error(void *opaque);

/* Of struct machine_config and hv_attach: what the guest does to its domain. */
void domain_power_off(void *opaque);
void domain_guest_reset(void *opaque);
void domain_suspend(void *opaque);

/* Of struct sdl_config: the person at the window ends the guest. */
void domain_window_closed(void *opaque);
void domain_time_offset(void *opaque, int64_t seconds);

/* ---- domain_chardev.c ---- */

/* Opens all streams of ports and monitors; display and input are there. */
bool domain_open_streams(struct domain *d, struct err *err);
/* Closes them; nobody uses them any more. */
void domain_close_streams(struct domain *d);
bool domain_chardev_info(void *opaque, size_t index, struct qmp_chardev_info *info);

/* ---- domain_pv.c: the guest's PV devices ---- */

/* Forks their process; first of all, while there is little memory that it would keep. */
bool domain_open_pv(struct domain *d, struct err *err);

/* Whether PV disks are among them: not in a restricted run. */
bool domain_serves_disks(const struct domain *d);

/* Waits until it serves. */
bool domain_pv_ready(struct domain *d, struct err *err);

void domain_close_pv(struct domain *d);

/* ---- domain_screen.c ---- */

/* Only what can be refused for what the configuration says. The rest, mostly the dynamic loader's
 * work, is domain_serve_screen's, when the toolstack has been told that we are up, and has its own
 * work to do. */
bool domain_open_screen(struct domain *d, struct err *err);
bool domain_serve_screen(struct domain *d, struct err *err);
bool domain_vnc_info(void *opaque, struct qmp_vnc_info *info);
bool domain_set_vnc_password(void *opaque, const char *password, bool view_only, struct err *err);
bool domain_expire_vnc_password(void *opaque, time_t when, struct err *err);

/* ---- domain_window.c ---- */

/* If one is asked for. Before the confinement, which its thread then has a part of its own in. */
bool domain_open_window(struct domain *d, struct err *err);
void domain_confine_window(struct domain *d);
void domain_close_window(struct domain *d);

/* ---- domain_target.c ---- */

/* Opens the monitors, which may ask what struct qmp_target has. */
bool domain_open_monitors(struct domain *d, struct err *err);
void domain_close_monitors(struct domain *d);
void domain_tell_reset(void *opaque);

#endif
