/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config: what the toolstack asked for, validated, independent of the dialect it was said in. The
 * parsers in toolstack/ fill it; main and the machine read it.
 */
#ifndef TOOLSTACK_CONFIG_H
#define TOOLSTACK_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "block/block.h"
#include "hw/core/err.h"
#include "net/netdev.h"
#include "ui/chardev.h"

#define CONFIG_MAX_SERIAL          4
#define CONFIG_AHCI_PORTS          6
#define CONFIG_MAX_DRIVES          (4 + 2 + CONFIG_AHCI_PORTS) /* IDE units, floppy drives, AHCI ports */
#define CONFIG_MAX_USB_CONTROLLERS 4
#define CONFIG_MAX_USB_DEVICES     16
#define CONFIG_MAX_NICS            8
#define CONFIG_MAX_NETDEVS         8
#define CONFIG_MAX_CAPTURES        8
#define CONFIG_MAX_MONITORS        4
#define CONFIG_MAX_MUXES           4
#define CONFIG_MAX_HMPS            4
#define CONFIG_MAX_FDS             16
#define CONFIG_MAX_ROM_DIRS        4
#define CONFIG_MAX_VCPUS           128 /* HVM_MAX_VCPUS */

/* The QEMU release whose argument and QMP dialect is spoken. Toolstacks choose what they send by
 * it: libxl from the QMP greeting, XAPI from the first line of -version. */
#define CONFIG_QEMU_MAJOR 7
#define CONFIG_QEMU_MINOR 2
#define CONFIG_QEMU_MICRO 0

enum config_action {
    CONFIG_RUN,     /* serve a domain */
    CONFIG_PROBE,   /* -machine none: answer QMP and touch no hypervisor */
    CONFIG_VERSION, /* print the version and exit 0 */
    CONFIG_HELP,    /* print the usage and exit 0 */
};

/* bios-chs-trans=: which cylinders, heads and sectors the BIOS shows (a byte of CMOS for each
 * disk).
 */
enum config_chs_translation {
    CONFIG_CHS_AUTO,
    CONFIG_CHS_NONE,
    CONFIG_CHS_LBA,
    CONFIG_CHS_LARGE,
    CONFIG_CHS_RECHS
};

enum config_switch { CONFIG_DEFAULT, CONFIG_OFF, CONFIG_ON };
enum config_vga { CONFIG_VGA_NONE, CONFIG_VGA_STD, CONFIG_VGA_CIRRUS };

/* Which floppy drive it is; the numbers are those of CMOS RAM. */
enum config_floppy {
    CONFIG_FLOPPY_AUTO = 0, /* what the medium needs; 2.88 MB if there is none */
    CONFIG_FLOPPY_1200K = 2,
    CONFIG_FLOPPY_1440K = 4,
    CONFIG_FLOPPY_2880K = 5,
};

/* A disk or CD in its place: IDE unit = channel * 2 + slave, or an AHCI port. Or a floppy drive. */
struct config_drive {
    char *id;        /* of the medium (query-block's "device"): -drive's id, or as qemu makes it up:
                        "ide0-hd0", "ide1-cd0", "floppy0" */
    char *qdev;      /* -device's id, which eject and blockdev-change-medium name; or NULL */
    char *node_name; /* -blockdev's, or NULL */
    char *throttle_group; /* throttling.group, which no other drive has; or NULL */
    bool cdrom;
    unsigned ide_unit;              /* 0..3 */
    bool ahci;                      /* and then, instead of the IDE unit: */
    unsigned ahci_port;             /* 0..5 */
    bool floppy;                    /* and then these, and no IDE unit: */
    unsigned floppy_unit;           /* 0 (A), 1 (B) */
    enum config_floppy floppy_type; /* drive-type= */
    bool empty;                     /* CD or floppy drive without medium; file is then NULL */
    char *file;                     /* path, or as it was said with fd ("/dev/fdset/2") */
    int fd;                         /* inherited descriptor (/dev/fdset/N, fd:N), else -1 */
    enum block_format format;
    enum block_cache cache;
    bool read_only;
    bool discard; /* discard=unmap: the guest's TRIM reaches the image */
    enum block_detect_zeroes detect_zeroes;
    enum block_on_error rerror, werror;
    struct block_limits limits;
    char *serial, *model, *version; /* of IDENTIFY: at most 20, 40, 8 characters. NULL = defaults */
    uint64_t wwn;                   /* 0: none */
    uint32_t cyls, heads, secs;     /* 0: computed */
    enum config_chs_translation chs_translation;
    uint32_t logical_block_size, physical_block_size; /* powers of two, physical >= logical */
    uint32_t discard_granularity;                     /* bytes, a power of two; 0: not said */
    bool no_trim; /* discard_granularity=0: TRIM is not offered */
};

enum config_usb_kind { CONFIG_USB_TABLET, CONFIG_USB_MOUSE, CONFIG_USB_KEYBOARD, CONFIG_USB_HUB };

/* Something plugged into USB. */
struct config_usb_device {
    enum config_usb_kind kind;
    char *id;   /* or NULL */
    char *bus;  /* "usb-bus.0"; NULL: the first with room */
    char *port; /* "1", "2.1" behind a hub; NULL: the first free one */
};

#define CONFIG_MAX_XHCI_PORTS 15 /* of each protocol */
/* Of a USB controller: piix3-usb-uhci, qemu-xhci, nec-usb-xhci. */
enum config_usb_host { CONFIG_UHCI, CONFIG_XHCI, CONFIG_XHCI_NEC };

/* A USB controller of its own PCI slot (-device piix3-usb-uhci and so on). */
struct config_usb_controller {
    enum config_usb_host host;
    unsigned usb2, usb3; /* an xHCI's ports of each protocol (p2=, p3=), 1 to 15; 0: not said */
    char *id;            /* its bus is ID.0; NULL: "usb-bus.N" */
    unsigned order;      /* among the cards of the argument line, which take slots in that order */
    bool placed;         /* addr= was said: */
    uint8_t devfn;       /* slot << 3 | function */
};

/* Which one -device's or device_add's `driver` names; false with *err for what is not served. */
bool config_usb_kind(const char *driver, enum config_usb_kind *kind, struct err *err);

/* Whether -device's or device_add's `driver` is a USB controller, and which. */
bool config_usb_host(const char *driver, enum config_usb_host *host);

/* Is it a port's name: "1", "2.1.3"? */
bool config_usb_port_valid(const char *port);

enum config_nic_model {
    CONFIG_NE2K_ISA, /* ne2k_isa */
    CONFIG_NE2K_PCI, /* ne2k_pci */
    CONFIG_PCNET,
    CONFIG_RTL8139,
    CONFIG_E1000,         /* e1000, e1000-82540em */
    CONFIG_E1000_82545EM, /* e1000-82545em */
};
#define CONFIG_NO_NETDEV SIZE_MAX

/* Which one -device's or device_add's `driver` names; false: it is no network card that is served.
 */
bool config_nic_model(const char *driver, enum config_nic_model *model);

/* "rtl8139": what -device calls it. */
const char *config_nic_name(enum config_nic_model model);

/* A network card. */
struct config_nic {
    enum config_nic_model model;
    char *id;        /* "nic0", which set_link may name; or NULL */
    size_t netdev;   /* index of config->netdevs; CONFIG_NO_NETDEV: nothing is plugged in */
    uint8_t mac[6];  /* chosen here (00:16:3e, then random) where it was not said */
    unsigned order;  /* as of struct config_usb_controller */
    unsigned iobase; /* of ne2k_isa: port, 0x300 by default … */
    unsigned irq;    /* … and line, 9 by default */
    bool placed;     /* addr= was said: */
    uint8_t devfn;   /* slot << 3 | function */
    bool no_rom;     /* rombar=0, romfile= (empty), ne2k_isa */
    char *romfile;   /* name or path; NULL: iPXE's for this model */
    int bootindex;   /* -1: not said */
    bool no_cplus;   /* of rtl8139: cplus=off, an RTL8139C */
};

/* -object filter-dump: frames to a pcap file. */
struct config_capture {
    char *id;
    size_t netdev;   /* index of config->netdevs */
    char *file;      /* path */
    uint32_t maxlen; /* bytes kept of each frame: 65536 by default */
};

struct config_monitor {
    char *chardev_id; /* "libxl-cmd" */
    char *path;       /* UNIX socket to listen on, NULL if fd is given */
    int fd;           /* a listening socket, else -1 */
};

/* A stream with mux=on, or of -serial mon:; shared by those of kind CHARDEV_MUX that name it. */
struct config_mux {
    char *id; /* -chardev's, or made up */
    struct chardev_config chardev;
};

/* A monitor for people: -monitor, -mon mode=readline. */
struct config_hmp {
    struct chardev_config chardev;
    bool privileged; /* its commands may name host files and devices */
};

/* An inherited descriptor with a number for /dev/fdset/N. */
struct config_fd {
    unsigned set;
    int fd;
    char *opaque; /* the toolstack's own words, or NULL */
};

struct config_vnc {
    bool enabled;
    char *host;        /* numeric or name; "" or "0.0.0.0": all addresses */
    char *unix_path;   /* instead of host and display */
    bool have_fd;      /* instead of either: */
    int fd;            /* a listening socket */
    unsigned display;  /* TCP port 5900 + display */
    unsigned to;       /* highest display tried when taken; == display: only that one */
    int family;        /* AF_INET or AF_INET6 only; AF_UNSPEC: both */
    bool websocket;    /* a port for browsers too: */
    char *web_host;    /* NULL: host */
    unsigned web_port; /* 0: 5700 + the display taken */
    char *web_tls;     /* folder with server-cert.pem and server-key.pem, or NULL: no TLS */
    bool password;     /* password=on: nobody gets in until QMP sets one */
    bool require_auth; /* without it only this host's processes may be served */
    bool share_force;  /* share=force-shared */
    bool share_ignore; /* share=ignore: neither way is enforced */
    bool lock_key_sync;
    bool viewer; /* a viewer is started, too */
};

/* Which keys make the next one the window's. */
enum config_grab {
    CONFIG_GRAB_CTRL_ALT,
    CONFIG_GRAB_SHIFT /* and Ctrl+Alt */,
    CONFIG_GRAB_RIGHT_CTRL
};

struct config_sdl {
    bool enabled;
    bool full_screen;  /* -full-screen */
    bool ignore_close; /* window-close=off */
    bool show_cursor;  /* the host's pointer is seen over a guest's that takes positions */
    enum config_grab grab;
};

struct config {
    enum config_action action;
    unsigned domid;
    char *name;        /* of the guest, or NULL */
    bool platform_pci; /* machine xenfv; false for -machine pc */
    uint64_t ram_bytes;
    uint64_t below_4g_end; /* where RAM below 4 GiB ends at most: 0xF0000000 or less */
    unsigned vcpus, max_vcpus;
    char boot_order[8]; /* letters a c d n, each at most once */
    enum config_vga vga;
    unsigned vga_mib;
    enum config_switch vga_edid; /* default: as the stock machine, not with the platform device */
    unsigned vga_xres, vga_yres; /* of the monitor it describes */
    bool ahci; /* an AHCI controller is there, with drives at its ports or without */
    struct config_drive drives[CONFIG_MAX_DRIVES];
    size_t drive_count;
    bool usb; /* the PIIX3's own controller, bus "usb-bus.0" */
    struct config_usb_controller usb_controllers[CONFIG_MAX_USB_CONTROLLERS];
    size_t usb_controller_count;
    struct config_usb_device usb_devices[CONFIG_MAX_USB_DEVICES];
    size_t usb_device_count;
    struct config_nic nics[CONFIG_MAX_NICS];
    size_t nic_count;
    struct netdev_config netdevs[CONFIG_MAX_NETDEVS];
    size_t netdev_count;
    struct config_capture captures[CONFIG_MAX_CAPTURES];
    size_t capture_count;
    struct chardev_config serial[CONFIG_MAX_SERIAL];
    bool serial_absent[CONFIG_MAX_SERIAL]; /* -serial none: this COM port is not there */
    size_t serial_count;
    struct chardev_config parallel; /* LPT1, if */
    bool have_parallel;
    struct config_mux muxes[CONFIG_MAX_MUXES];
    size_t mux_count;
    unsigned char mux_escape; /* -echr: 1 to 31; 0: none */
    struct config_hmp hmps[CONFIG_MAX_HMPS];
    size_t hmp_count;
    struct config_monitor monitors[CONFIG_MAX_MONITORS];
    size_t monitor_count;
    struct config_fd fds[CONFIG_MAX_FDS];
    size_t fd_count;
    struct config_vnc vnc;
    struct config_sdl sdl;
    char *keymap;                        /* -k, or NULL; letters, digits, '-', '_' only */
    char *rom_dirs[CONFIG_MAX_ROM_DIRS]; /* -L: searched first for option ROMs */
    size_t rom_dir_count;
    bool start_paused; /* -S */
    bool no_shutdown;  /* when the guest has powered off, stay until the toolstack ends us */
    bool seccomp;      /* default on; -sandbox off */
    bool restricted;   /* -xen-domid-restrict */
    char *chroot_dir;
    bool run_as;
    uid_t uid;
    gid_t gid;
    int incoming_fd; /* -incoming fd:N, else -1 */
    char *pidfile;
};

/*
 * Parses the argument line of libxl (qemu-xen dialect), argv[0] being the program. On failure *err
 * is one line that names the option, and what to use instead where there is something. config_free
 * releases whatever was filled, also after a failure; it closes no descriptor. Inherited
 * descriptors have been seen open, and made close-on-exec.
 */
bool config_from_libxl(struct config *config, int argc, char **argv, struct err *err);

void config_free(struct config *config);

/* -help's text and -version's line (each ends with a newline). */
extern const char config_usage[];
extern const char config_version_line[];

#endif
