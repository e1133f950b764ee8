/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxl: what the files of the argument parser share; nobody else includes this. */
#ifndef TOOLSTACK_LIBXL_H
#define TOOLSTACK_LIBXL_H

#include <stdbool.h>
#include <stddef.h>

#include "toolstack/config.h"
#include "toolstack/optstr.h"

#define LIBXL_MAX_CHARDEVS 16
#define LIBXL_MAX_DRIVES   16
#define LIBXL_MAX_FDS      32

/* A -chardev, until a -serial or -mon takes it. */
struct libxl_chardev {
    char *id;
    struct chardev_config chardev;
    bool used;
    bool mux;           /* may be taken several times; once it was: */
    unsigned mux_index; /* of config.muxes */
};

/* A -serial, -parallel or -monitor that names a -chardev, which may come later on the line. */
struct libxl_port {
    char *chardev_id; /* NULL: the config is filled already */
    bool gap;         /* a COM port that is absent because only higher ones were placed */
};

/* A -device isa-serial: which port it is is known when all are. */
struct libxl_isa_serial {
    char *chardev_id;
    unsigned index; /* CONFIG_MAX_SERIAL: the first that is free */
};

/* A -drive or -blockdev, or a -device ide-hd or ide-cd. Places are resolved when all are known. */
struct libxl_drive {
    struct config_drive drive;
    bool none; /* if=none: a -device must name it */
    int channel, slave;
    bool used;
    char *drive_id;                  /* of a -device: which -drive, or NULL */
    int rerror, werror, write_cache; /* enum block_on_error, bool; or: */
};
#define LIBXL_NOT_SAID (-1)

/* How a network card and a back-end find each other: by the back-end's id, by the number of the
 * `vlan` that both are in (-net), or since one -nic said both. */
struct libxl_nic {
    char *netdev_id; /* or NULL */
    int vlan;        /* or LIBXL_NOT_SAID */
    bool place_said; /* iobase= was said … */
    bool irq_said;
    bool cplus_said; /* cplus= */
};
struct libxl_netdev {
    int vlan;
    bool used; /* a card has it */
};

struct libxl {
    struct config *config;
    struct libxl_chardev chardevs[LIBXL_MAX_CHARDEVS];
    size_t chardev_count;
    struct libxl_port serials[CONFIG_MAX_SERIAL];
    struct libxl_port parallel;
    struct libxl_port hmps[CONFIG_MAX_HMPS];
    struct libxl_isa_serial isa_serials[CONFIG_MAX_SERIAL];
    size_t isa_serial_count;
    bool have_parallel; /* -parallel was said, be it none */
    bool have_monitor;  /* of any kind: then there is none by default */
    bool nodefaults, nographic;
    struct libxl_drive drives[LIBXL_MAX_DRIVES];
    size_t drive_count;
    struct libxl_drive devices[LIBXL_MAX_DRIVES];
    size_t device_count;
    char *ahci_id;                                   /* -device ahci's, or NULL */
    struct libxl_nic nics[CONFIG_MAX_NICS];          /* of config.nics */
    struct libxl_netdev netdevs[CONFIG_MAX_NETDEVS]; /* of config.netdevs */
    char *capture_netdevs[CONFIG_MAX_CAPTURES];      /* of config.captures: the back-end's id */
    unsigned cards;                                  /* of the line until now: their order */
    bool nic_ne2000;                                 /* -nic-ne2000 */
    bool global_no_cplus;                            /* -global rtl8139.cplus=off */
    bool have_boot;                                  /* -boot order= */
    bool have_domid, have_machine, have_memory, have_vga, have_vnc;
    bool accel_xen;
    int fds[LIBXL_MAX_FDS]; /* given so far */
    size_t fd_count;
};

/* Handlers: `option` as it was said; false with *err. */
bool libxl_chardev(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_serial(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_parallel(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_echr(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_nodefaults(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_nographic(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_monitor(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_mon(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_qmp(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_drive(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_blockdev(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_plain_drive(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_device(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_vga(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_vnc(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_vncviewer(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_display(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_sdl(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_full_screen(struct libxl *p, const char *option, const char *arg, struct err *err);

bool libxl_usb(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_usbdevice(struct libxl *p, const char *option, const char *arg, struct err *err);

bool libxl_netdev(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_net(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_nic_both(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_nic_ne2000(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_global(struct libxl *p, const char *option, const char *arg, struct err *err);
bool libxl_object(struct libxl *p, const char *option, const char *arg, struct err *err);

/* Network cards that there are not, and what to use instead. */
#define LIBXL_ABSENT_NICS                                                                       \
    "virtio-net* virtio vmxnet3 i825* e1000e e1000-* igb* tulip sungem* sunhme* rocker* ne2k* " \
    "pcnet-* rtl8139* ne1000 xen-nic usb-net usb-net* vhost-* smc91c111 lance"
#define LIBXL_NO_SUCH_NIC                                                                     \
    "there is no such network card here; say model=e1000 or rtl8139 in vif= (also ne2k_pci, " \
    "pcnet), or type=vif for the guest's PV driver"

/* What is said of a -device that is not served, or NULL. */
const char *libxl_absent_device(const char *name);

/* libxl_nic.c: the keys of a -device that is a network card (config_nic_model); a card with nothing
 * said of it; the model= of -net nic and -nic, or what there is without; mac= and macaddr=. */
bool libxl_nic_keys(struct libxl *p, struct optstr *o, enum config_nic_model model,
                    struct err *err);
struct config_nic *libxl_nic_new(struct libxl *p, const char *option, struct err *err);
bool libxl_nic_model(struct optstr *o, struct config_nic *nic, struct err *err);
bool libxl_nic_mac(struct optstr *o, const char *key, struct config_nic *nic, struct err *err);
bool libxl_nics_finish(struct libxl *p, struct err *err);

/* libxl_netdev.c: a back-end of `kind` with its keys but id=; NULL with *err. */
struct netdev_config *libxl_netdev_new(struct libxl *p, struct optstr *o, const char *kind,
                                       struct err *err);

/* id= of a device or a back-end, into *out. */
bool libxl_take_id(struct optstr *o, char **out, struct err *err);

/* addr=1d or 1d.0 of a PCI card. */
bool libxl_pci_place(struct optstr *o, bool *placed, uint8_t *devfn, struct err *err);

/* libxl_usb.c: whether a -device is USB's, and its keys. */
bool libxl_usb_driver(const char *driver);
bool libxl_usb_keys(struct libxl *p, struct optstr *o, const char *driver, struct err *err);

/* libxl_chardev.c: the words of -serial, -parallel, -monitor and -qmp for a back-end. */
bool libxl_chardev_word(const char *option, const char *arg, struct chardev_config *c,
                        struct err *err);

/* libxl_port.c: -device isa-serial and isa-parallel. */
bool libxl_isa_serial(struct libxl *p, struct optstr *o, struct err *err);
bool libxl_isa_parallel(struct libxl *p, struct optstr *o, struct err *err);

/* libxl_image.c: the keys of a -drive about its image, of a -device about a disk's sectors, and
 * those that either may say. */
bool libxl_image_keys(struct optstr *o, struct config_drive *d, struct err *err);
bool libxl_topology_keys(struct optstr *o, struct config_drive *d, struct err *err);
bool libxl_error_keys(struct optstr *o, struct libxl_drive *d, bool device, struct err *err);
bool libxl_write_cache_key(struct optstr *o, struct libxl_drive *d, struct err *err);

/* A -device takes over the image of its -drive. */
bool libxl_join(struct libxl_drive *device, struct libxl_drive *drive, struct err *err);

/* Once all arguments are read. */
bool libxl_chardevs_finish(struct libxl *p, struct err *err);
bool libxl_drives_finish(struct libxl *p, struct err *err);
bool libxl_usb_finish(struct libxl *p, struct err *err);
bool libxl_nets_finish(struct libxl *p, struct err *err);
void libxl_chardevs_free(struct libxl *p);
void libxl_drives_free(struct libxl *p);
void libxl_nets_free(struct libxl *p);

/* An inherited descriptor given by number: open, not one of the standard three, not given twice,
 * and close-on-exec from now on. `what` starts the message. */
bool libxl_fd(struct libxl *p, const char *what, const char *value, int *out, struct err *err);

/* A UNIX socket's path, if it is one that fits into the kernel's address; *out is freed before. */
bool libxl_socket_path(const char *option, const char *path, char **out, struct err *err);

/* Is it a QEMU id: a letter, then letters, digits, '-', '.', '_'? */
bool libxl_id_valid(const char *id);

#endif
