/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ahci_int: what the files of the AHCI controller share; for nobody else. */
#ifndef HW_PC_AHCI_INT_H
#define HW_PC_AHCI_INT_H

#include "hw/pc/ahci.h"
#include "hw/pc/ide.h"

#define AHCI_SLOTS      32
#define AHCI_NO_SLOT    0xFF
#define AHCI_PORT_FIRST 0x100 /* of the ports' registers */
#define AHCI_PORT_SIZE  0x80

/* PxIS (AHCI 1.3.1, 3.3.5) */
#define AHCI_IS_DHRS 0x00000001u /* device to host register FIS */
#define AHCI_IS_PSS  0x00000002u /* PIO setup FIS */
#define AHCI_IS_SDBS 0x00000008u /* set device bits FIS */
#define AHCI_IS_DPS  0x00000020u /* a descriptor with its interrupt bit */
#define AHCI_IS_PCS  0x00000040u /* port connect change: SERR.DIAG.X */
#define AHCI_IS_PRCS 0x00400000u /* PhyRdy change: SERR.DIAG.N */
#define AHCI_IS_OFS  0x01000000u /* more data than descriptors */
#define AHCI_IS_IFS  0x08000000u /* interface fatal error */
#define AHCI_IS_HBFS 0x20000000u /* host bus fatal error */
#define AHCI_IS_TFES 0x40000000u /* task file error */

/* PxCMD (3.3.7) */
#define AHCI_CMD_ST    0x00000001u
#define AHCI_CMD_SUD   0x00000002u
#define AHCI_CMD_POD   0x00000004u
#define AHCI_CMD_FRE   0x00000010u
#define AHCI_CMD_FR    0x00004000u
#define AHCI_CMD_CR    0x00008000u
#define AHCI_CMD_ATAPI 0x01000000u
#define AHCI_CMD_DLAE  0x02000000u

/* PxSERR (3.3.12) */
#define AHCI_SERR_N 0x00010000u /* PhyRdy changed */
#define AHCI_SERR_X 0x04000000u /* exchanged: COMINIT came */

/* Where a port is with its device. */
enum ahci_link {
    AHCI_LINK_UP,
    AHCI_LINK_RESET,    /* COMRESET is being sent: PxSCTL.DET is 1 */
    AHCI_LINK_OFF,      /* PxSCTL.DET is 4 */
    AHCI_LINK_STARTING, /* COMRESET is over; the device has yet to start */
    AHCI_LINK_LAST = AHCI_LINK_STARTING,
};

/* What a native queued command does next (Serial ATA 2.5, 13.6). */
enum ahci_tag_phase {
    AHCI_TAG_FREE,
    AHCI_TAG_MOVE,  /* data between medium and guest memory */
    AHCI_TAG_FLUSH, /* the image's cache to the medium */
    AHCI_TAG_LAST = AHCI_TAG_FLUSH,
};

struct ahci_port;

struct ahci_tag {
    struct ahci_port *port;
    uint8_t phase; /* enum ahci_tag_phase */
    bool writing;
    bool flush_after;
    uint64_t lba;
    uint32_t left;  /* sectors */
    uint32_t piece; /* most sectors of one request: halved to find a bad one */
    struct prd_table prd;
};

/* The request under way for a tag. Not saved: quiesce waits for it. Apart from the tags, and not
 * touched before it is needed: these are 75 KiB a port. */
struct ahci_flight {
    struct ahci_tag *tag;
    struct block_request request;
    struct block *block;
    bool pinned; /* sg holds guest memory; else the data are in `bounce` */
    struct dma_sg sg;
    struct prd_cursor after;
    struct iovec iov;
    uint8_t bounce[IDE_SECTOR]; /* for a sector in regions too small for sg */
};

struct ahci_port {
    struct ide_channel ch; /* first: its front finds the port by it. One device */
    struct ahci *hba;
    unsigned number;

    /* Registers */
    uint64_t clb, fb;
    uint32_t is, ie, cmd, sctl, serr, sact, ci, sig;

    uint8_t link;       /* enum ahci_link */
    bool signature;     /* the device's first FIS waits for FIS receive to be enabled */
    bool halted;        /* an error: nothing is fetched until PxCMD.ST is cleared */
    bool queue_failed;  /* of queued commands: the device takes nothing but READ LOG EXT 10h */
    bool deaf;          /* a command came to a device that sleeps */
    uint8_t slot;       /* of the command under way that is not queued, or AHCI_NO_SLOT */
    uint8_t opcode;     /* of that */
    uint8_t last_slot;  /* fetched last; the next one is looked for behind it */
    uint8_t ccs;        /* the same, as PxCMD says it */
    uint16_t flags;     /* of the command header in `slot` */
    uint64_t header;    /* where that is */
    uint8_t packet[16]; /* ACMD of its command table */

    struct ahci_tag tag[AHCI_SLOTS];
    struct ahci_flight flight[AHCI_SLOTS];

    /* One bit a tag; derived */
    uint32_t queued;  /* commands under way */
    uint32_t flying;  /* requests under way */
    uint32_t leaving; /* … of commands that were taken back */
};

struct ahci {
    struct pci_device pci;
    void *memory; /* to be freed: the struct lies aligned in it */
    void (*tray_moved)(void *opaque, unsigned port, bool open);
    void *opaque;
    uint32_t ghc, is;
    uint32_t index; /* of the index-data pair */
    bool resetting; /* GHC.HR: until what is under way has ended */
    bool level;     /* of the interrupt */
    struct ahci_port port[AHCI_PORTS];
};

extern const struct state_field ahci_port_state[];
extern const struct ide_front ahci_front;

/* --- ahci.c --- */

static inline bool ahci_may_master(const struct ahci *a)
{
    return a->pci.config[4] & 4;
}

/* Ends every entry from outside: a reset that has waited, then interrupts. */
void ahci_update(struct ahci *a);

/* --- ahci_port.c --- */

uint32_t ahci_port_read(const struct ahci_port *p, unsigned reg);
void ahci_port_write(struct ahci_port *p, unsigned reg, uint32_t value);

/* Its events that are enabled as interrupts. */
uint32_t ahci_port_interrupts(const struct ahci_port *p);

/* Takes back all that is under way: what is on its way to or from an image ends by itself. */
void ahci_port_abandon(struct ahci_port *p);

/* Something that was taken back is still on its way. */
bool ahci_port_winding(const struct ahci_port *p);

/* Registers and device as after HBA reset; nothing is under way. */
void ahci_port_reset(struct ahci_port *p);

/* Goes on with whatever can go on. To be followed by ahci_update. */
void ahci_port_run(struct ahci_port *p);

/* After load: cross-checks (false refuses). */
bool ahci_port_loaded(struct ahci_port *p, struct err *err);

/* A fatal error: nothing more is fetched. */
void ahci_port_halt(struct ahci_port *p, uint32_t is);

/* Stores a FIS in the receive area. */
void ahci_store_fis(struct ahci_port *p, unsigned offset, const void *fis, size_t len);

static inline bool ahci_present(const struct ahci_port *p)
{
    return p->ch.drive[0].kind != IDE_ABSENT;
}

/* --- ahci_queue.c --- */

/* READ or WRITE FPDMA QUEUED from slot `slot`. */
void ahci_queue_start(struct ahci_port *p, unsigned slot, const uint8_t *fis,
                      const struct prd_cursor *prd);

/* Does what each queued command waits for, as far as it can be done now. */
void ahci_queue_kick(struct ahci_port *p);

/* Takes the queued commands back. */
void ahci_queue_abandon(struct ahci_port *p);

/* Lets what is under way on the images end. */
void ahci_queue_drain(struct ahci_port *p);

/* A command that is not queued came while some were: all fail. */
void ahci_queue_mixed(struct ahci_port *p);

#endif
