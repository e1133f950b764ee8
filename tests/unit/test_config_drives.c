/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_config_drives: disks, CDs and floppies of the argument line: where they are, which image,
 * what policy. */
#include "tests/unit/config_rig.h"

static void test_disks(void **state)
{
    (void)state;
#define DISK_A "-drive file=/guest/a.img,if=ide,index=0,media=disk,format=raw,cache=writeback "
#define CD_B                                                               \
    "-drive if=none,readonly=on,id=ide-5632,file=/guest/b.img,format=raw " \
    "-device ide-cd,id=ide-5632,drive=ide-5632,bus=ide.1,unit=0 "
    refused(PREFIX STDVGA SUFFIX
            " " DISK_A
            "-drive file=/guest/a.qed,if=ide,index=1,media=disk,format=qed,cache=writeback " CD_B,
            "-drive|format=qed|format=raw|qemu-img convert");
    accepted(
        PREFIX STDVGA SUFFIX
        " " DISK_A
        "-drive file=/guest/a.qcow2,if=ide,index=1,media=disk,format=qcow2,cache=writeback " CD_B);
    assert_int_equal(config.drives[1].format, BLOCK_FORMAT_QCOW2);
    accepted(PREFIX STDVGA "-boot order=cd " SUFFIX " " DISK_A CD_B);
    assert_string_equal(config.boot_order, "cd");
    assert_int_equal(config.drive_count, 2);
    const struct config_drive *d = &config.drives[0];
    assert_string_equal(d->id, "ide0-hd0");
    assert_null(d->qdev);
    assert_false(d->cdrom);
    assert_int_equal(d->ide_unit, 0);
    assert_false(d->empty);
    assert_string_equal(d->file, "/guest/a.img");
    assert_int_equal(d->fd, -1);
    assert_int_equal(d->format, BLOCK_FORMAT_RAW);
    assert_int_equal(d->cache, BLOCK_CACHE_WRITEBACK);
    assert_false(d->read_only);
    assert_false(d->discard);
    d = &config.drives[1];
    assert_string_equal(d->id, "ide-5632");
    assert_string_equal(d->qdev, "ide-5632");
    assert_true(d->cdrom);
    assert_int_equal(d->ide_unit, 2);
    assert_false(d->empty);
    assert_true(d->read_only);
    assert_string_equal(d->file, "/guest/b.img");

    accepted(PREFIX STDVGA "-boot order=dc " SUFFIX " -drive if=none,readonly=on,id=ide-5632 "
                           "-device ide-cd,id=ide-5632,drive=ide-5632,bus=ide.1,unit=0");
    assert_int_equal(config.drive_count, 1);
    assert_true(config.drives[0].empty);
    assert_null(config.drives[0].file);
    assert_string_equal(config.drives[0].id, "ide-5632");

    accepted(PREFIX STDVGA SUFFIX " " DISK_A
                                  "-drive file=/guest/b.img,if=ide,index=1,media=disk,format=raw,"
                                  "cache=writeback -drive file=/guest/fd.img,if=ide,index=3,"
                                  "media=disk,format=raw,cache=writeback");
    assert_int_equal(config.drive_count, 3);
    assert_int_equal(config.drives[2].ide_unit, 3);
    assert_string_equal(config.drives[2].id, "ide1-hd1");

    refused(PREFIX "-device lsi53c895a " STDVGA SUFFIX, "-device lsi53c895a|hda|xvda|PV");
    refused(BASE "-drive file=/guest/a.img,id=scsi0-hd0,format=raw,if=none,readonly=off,"
                 "cache=writeback -device scsi-hd,drive=scsi0-hd0,scsi-id=0",
            "-device scsi-hd|hda");
    assert_false(config.ahci);
}

/* hdtype="ahci" in xl: the controller, then each disk with its port; CDs stay with IDE. */
static void test_ahci(void **state)
{
    (void)state;
    accepted(PREFIX STDVGA SUFFIX " -device ahci,id=ahci0 -drive file=/guest/a.img,if=none,"
                                  "id=ahcidisk-0,format=raw,cache=writeback -device ide-hd,"
                                  "bus=ahci0.0,unit=0,drive=ahcidisk-0 -drive file=/guest/b.img,"
                                  "if=none,id=ahcidisk-5,format=raw,cache=writeback -device "
                                  "ide-hd,bus=ahci0.5,unit=0,drive=ahcidisk-5 -drive if=none,"
                                  "readonly=on,id=ide-5632 -device ide-cd,id=ide-5632,"
                                  "drive=ide-5632,bus=ide.1,unit=0");
    assert_true(config.ahci);
    assert_int_equal(config.drive_count, 3);
    assert_false(config.drives[0].ahci);
    assert_int_equal(config.drives[0].ide_unit, 2);
    assert_true(config.drives[1].ahci && config.drives[2].ahci);
    assert_int_equal(config.drives[1].ahci_port, 0);
    assert_int_equal(config.drives[2].ahci_port, 5);
    assert_string_equal(config.drives[1].id, "ahcidisk-0");
    assert_string_equal(config.drives[2].file, "/guest/b.img");
    accepted(BASE "-device ich9-ahci,id=sata,bus=pci.0 -device ide-cd,bus=sata.3");
    assert_true(config.drives[0].ahci && config.drives[0].cdrom && config.drives[0].empty);
    assert_int_equal(config.drives[0].ahci_port, 3);
    assert_string_equal(config.drives[0].id, "ahci-cd3");
    accepted(BASE "-device ahci");
    assert_true(config.ahci);

    static const struct refusal refusals[] = {
        {"-drive file=/guest/a.img,if=none,id=ahcidisk-0,format=raw "
         "-device ide-hd,bus=ahci0.0,unit=0,drive=ahcidisk-0",
         "-device|ahci0.0|-device ahci"},
        {"-device ahci,id=a -device ide-cd,bus=a.6", "a.6"},
        {"-device ahci,id=a -device ide-cd,bus=a.", "a."},
        {"-device ahci,id=a -device ide-cd,bus=a.00", "a.00"},
        {"-device ahci,id=a -device ide-cd,bus=ab.0", "ab.0"},
        {"-device ahci -device ide-cd,bus=.0", "bus=.0"},
        {"-device ahci,id=a -device ide-cd,bus=a.0,unit=1", "unit=|'1'"},
        {"-device ahci,id=a -device ide-cd,bus=a.1 -device ide-cd,bus=a.1", "port 1"},
        {"-device ahci -device ahci", "one AHCI controller"},
        {"-device ahci,id=0", "id=0"},
        {"-device ahci,addr=7", "addr"},
        {"-device ahci,ports=2", "ports"},
    };
    REFUSED_ALL(refusals);
}

static void test_floppies(void **state)
{
    (void)state;
    accepted(BASE "-fda /a -fdb /b -hda /c");
    assert_int_equal(config.drive_count, 3);
    assert_false(config.drives[0].floppy);
    const struct config_drive *d = &config.drives[1];
    assert_true(d->floppy && !d->cdrom && !d->empty && !d->read_only);
    assert_int_equal(d->floppy_unit, 0);
    assert_int_equal(d->floppy_type, CONFIG_FLOPPY_AUTO);
    assert_string_equal(d->id, "floppy0");
    assert_string_equal(d->file, "/a");
    assert_int_equal(config.drives[2].floppy_unit, 1);
    assert_string_equal(config.drives[2].id, "floppy1");

    accepted(BASE "-drive file=/b,if=floppy,index=1,format=raw,readonly=on -drive if=floppy,file=/a"
                  " -boot order=acd");
    assert_string_equal(config.drives[0].file, "/a");
    assert_true(config.drives[1].floppy && config.drives[1].read_only);
    assert_string_equal(config.drives[1].file, "/b");
    accepted(BASE "-drive file=/b,if=floppy,unit=1,bus=0");
    assert_int_equal(config.drives[0].floppy_unit, 1);

    /* Empty until QMP's blockdev-change-medium. */
    accepted(BASE
             "-device floppy,id=floppy0 -device floppy,unit=0,drive-type=144,bus=floppy-bus.0");
    assert_int_equal(config.drive_count, 2);
    assert_true(config.drives[0].empty && config.drives[1].empty);
    assert_int_equal(config.drives[0].floppy_type, CONFIG_FLOPPY_1440K);
    assert_null(config.drives[0].qdev);
    assert_string_equal(config.drives[1].qdev, "floppy0");
    accepted(BASE "-drive if=none,id=x,file=/a,readonly=on -device floppy,drive=x,drive-type=288");
    assert_string_equal(config.drives[0].id, "x");
    assert_string_equal(config.drives[0].file, "/a");
    assert_true(config.drives[0].floppy && config.drives[0].read_only);
    assert_int_equal(config.drives[0].floppy_type, CONFIG_FLOPPY_2880K);
    accepted(BASE "-drive if=none,id=x,file=/a -drive if=none,id=y,file=/b"
                  " -device isa-fdc,driveB=x,driveA=y,id=fdc0");
    assert_string_equal(config.drives[0].id, "y");
    assert_string_equal(config.drives[1].id, "x");
    accepted(BASE "-device isa-fdc");
    assert_int_equal(config.drive_count, 0);
    accepted(BASE "-hda a -hdb b -hdc c -hdd d -fda e -fdb f");
    assert_int_equal(config.drive_count, 6);

    static const struct refusal refusals[] = {
        {"-fda /a -fda /b", "if=floppy|A is there twice"},
        {"-fda /a -fdb /b -device floppy", "if=floppy|two floppy drives"},
        {"-drive file=/a,if=floppy,index=2", "-drive|index="},
        {"-drive file=/a,if=floppy,bus=1", "-drive|bus="},
        {"-drive file=/a,if=floppy,media=cdrom", "-drive|media=cdrom"},
        {"-device floppy,drive-type=360", "-device|drive-type=360"},
        {"-device floppy,drive=x", "-device floppy|if=none with id=x"},
        {"-device floppy,unit=2", "-device|unit="},
        {"-device floppy,bus=ide.0", "-device|bus="},
        {"-device floppy,bootindex=1", "-device|bootindex|-boot"},
        {"-device floppy,id=f -device floppy,id=f", "-device|id=f|twice"},
        {"-device floppy,whatever=1", "-device|whatever"},
        {"-device isa-fdc,driveA=x", "if=none with id=x"},
        {"-device isa-fdc,iobase=0x370", "-device|iobase"},
        {"-drive if=none,id=x,file=/a -device floppy,drive=x -device isa-fdc,driveB=x",
         "drive=x|used already"},
    };
    REFUSED_ALL(refusals);
}

/* What a drive does when its image fails, how fast it may be, and what it says about its sectors.
 */
static void test_drive_policies(void **state)
{
    (void)state;
    accepted(BASE "-drive file=/a,index=0");
    const struct config_drive *d = &config.drives[0];
    assert_int_equal(d->rerror, BLOCK_ON_ERROR_REPORT); /* qemu(1): the defaults */
    assert_int_equal(d->werror, BLOCK_ON_ERROR_ENOSPC);
    assert_int_equal(d->detect_zeroes, BLOCK_DETECT_ZEROES_OFF);
    assert_int_equal(d->chs_translation, CONFIG_CHS_AUTO);
    assert_int_equal(d->logical_block_size, 512);
    assert_int_equal(d->physical_block_size, 512);
    assert_int_equal(d->discard_granularity, 0);
    for (unsigned i = 0; i < BLOCK_LIMIT_COUNT; i++)
        assert_int_equal(d->limits.of[i].avg, 0);

    accepted(BASE "-drive file=/a,index=0,werror=stop,rerror=ignore,aio=io_uring,discard=unmap,"
                  "detect-zeroes=unmap,cache.direct=on,cache.writeback=off,"
                  "throttling.bps-total=1000000,throttling.bps-total-max=2000000,"
                  "throttling.bps-total-max-length=5,throttling.iops-read=100,"
                  "throttling.iops-write=50,throttling.iops-size=4096,throttling.group=alone");
    d = &config.drives[0];
    assert_int_equal(d->werror, BLOCK_ON_ERROR_STOP);
    assert_int_equal(d->rerror, BLOCK_ON_ERROR_IGNORE);
    assert_int_equal(d->detect_zeroes, BLOCK_DETECT_ZEROES_UNMAP);
    assert_int_equal(d->cache, BLOCK_CACHE_DIRECTSYNC);
    assert_int_equal(d->limits.of[BLOCK_LIMIT_BPS].avg, 1000000);
    assert_int_equal(d->limits.of[BLOCK_LIMIT_BPS].max, 2000000);
    assert_int_equal(d->limits.of[BLOCK_LIMIT_BPS].length, 5);
    assert_int_equal(d->limits.of[BLOCK_LIMIT_IOPS_READ].avg, 100);
    assert_int_equal(d->limits.of[BLOCK_LIMIT_IOPS_WRITE].avg, 50);
    assert_int_equal(d->limits.iops_size, 4096);

    /* The device's word stands above the drive's; auto is none. */
    accepted(BASE "-drive if=none,id=a,file=/a,werror=stop,rerror=stop,cache=writethrough "
                  "-device ide-hd,drive=a,werror=report,rerror=auto,write-cache=on,"
                  "physical_block_size=4096,discard_granularity=65536,bios-chs-trans=large");
    d = &config.drives[0];
    assert_int_equal(d->werror, BLOCK_ON_ERROR_REPORT);
    assert_int_equal(d->rerror, BLOCK_ON_ERROR_STOP);
    assert_int_equal(d->cache, BLOCK_CACHE_WRITEBACK);
    assert_int_equal(d->physical_block_size, 4096);
    assert_int_equal(d->discard_granularity, 65536);
    assert_false(d->no_trim);
    assert_int_equal(d->chs_translation, CONFIG_CHS_LARGE);
    accepted(BASE "-drive if=none,id=a,file=/a "
                  "-device ide-hd,drive=a,discard_granularity=0,logical_block_size=4096");
    d = &config.drives[0];
    assert_true(d->no_trim);
    assert_int_equal(d->logical_block_size, 4096);
    assert_int_equal(d->physical_block_size, 4096);
    accepted(BASE "-drive if=none,id=a,file=/a,cache=none -device ide-hd,drive=a,write-cache=off");
    assert_int_equal(config.drives[0].cache, BLOCK_CACHE_DIRECTSYNC);
    accepted(BASE "-drive file=/dev/cdrom,media=cdrom,format=host_device");
    assert_int_equal(config.drives[0].format, BLOCK_FORMAT_RAW);
    accepted(BASE "-drive file=/a.vhd,format=vpc");
    assert_int_equal(config.drives[0].format, BLOCK_FORMAT_VPC);
}

static void test_blockdev(void **state)
{
    (void)state;
    accepted(BASE "-blockdev driver=file,node-name=f0,filename=/a,,b,aio=native,locking=auto "
                  "-blockdev qcow2,node-name=d0,file=f0,discard=unmap,cache.direct=on,read-only=on "
                  "-device ide-hd,drive=d0,id=sda,werror=stop "
                  "-blockdev driver=vpc,node-name=d1,file.driver=file,file.filename=/c "
                  "-device ide-hd,drive=d1,write-cache=off "
                  "-blockdev driver=host_device,node-name=d2,filename=/dev/sdb "
                  "-device ide-hd,drive=d2");
    const struct config_drive *d = config.drives;
    assert_int_equal(config.drive_count, 3);
    assert_string_equal(d->id, "d0");
    assert_string_equal(d->node_name, "d0");
    assert_string_equal(d->qdev, "sda");
    assert_string_equal(d->file, "/a,b");
    assert_int_equal(d->format, BLOCK_FORMAT_QCOW2);
    assert_int_equal(d->cache, BLOCK_CACHE_NONE);
    assert_int_equal(d->werror, BLOCK_ON_ERROR_STOP);
    assert_true(d->discard);
    assert_true(d->read_only);
    d = &config.drives[1];
    assert_string_equal(d->file, "/c");
    assert_int_equal(d->format, BLOCK_FORMAT_VPC);
    assert_int_equal(d->cache, BLOCK_CACHE_WRITETHROUGH);
    d = &config.drives[2];
    assert_string_equal(d->file, "/dev/sdb");
    assert_int_equal(d->format, BLOCK_FORMAT_RAW);

#define NODE(keys) "-device ide-hd,drive=n -blockdev " keys
    static const struct refusal refusals[] = {
        {NODE("driver=raw"), "-blockdev|node-name="},
        {NODE("node-name=n"), "-blockdev|driver="},
        {NODE("driver=file,node-name=n"), "filename=|missing"},
        {NODE("driver=raw,node-name=n"), "file=|missing"},
        {NODE("driver=raw,node-name=n,file=m,file.filename=/a"), "file="},
        {NODE("driver=raw,node-name=n,file=m"), "file=m|driver=file"},
        {NODE("driver=raw,node-name=n,file=n"), "file=n|driver=file"},
        {NODE("driver=raw,node-name=1,file=n"), "node-name=1"},
        {NODE("driver=nbd,node-name=n,filename=/a"), "-blockdev"},
        {NODE("driver=qed,node-name=n,file.filename=/a"), "qemu-img convert -f qed"},
        {NODE("driver=raw,node-name=n,file.filename=nbd:x"), "nbd:"},
        {NODE("driver=file,node-name=n,filename=/a,size=3"), "size="},
        {NODE("driver=file,node-name=n,filename=/a -blockdev driver=file,node-name=n,filename=/b"),
         "node-name=n|twice"},
        {NODE("driver=raw,node-name=n,file=f -blockdev driver=raw,node-name=m,file=f "
              "-blockdev driver=file,node-name=f,filename=/a -device ide-hd,drive=m"),
         "file=f|used already"},
        {NODE("driver=raw,node-name=n,file=f -device ide-hd,drive=f "
              "-blockdev driver=file,node-name=f,filename=/a"),
         "used already"},
        {NODE("driver=file,node-name=n,filename=/a -blockdev driver=file,node-name=f,filename=/b"),
         "-blockdev|no -device|f"},
        {"-blockdev '{\"driver\":\"file\"}'", "-blockdev|JSON"},
    };
    REFUSED_ALL(refusals);
}

static void test_drive_keys(void **state)
{
    (void)state;
    static const char *const caches[] = {"writeback", "writethrough", "none", "directsync",
                                         "unsafe"};
    for (size_t i = 0; i < 5; i++) {
        char line[256];
        snprintf(line, sizeof(line), BASE "-drive file=/a,cache=%s,aio=native", caches[i]);
        accepted(line);
        assert_int_equal(config.drives[0].cache, i);
    }
    /* The device may come first, and places may be left to us. */
    accepted(BASE
             "-device ide-hd,drive=d0,id=disk,serial=SN1,model=M,ver=V1,wwn=0x5000c500a1b2c3d4,"
             "cyls=100,heads=16,secs=63 -drive if=none,id=d0,file=/a,discard=unmap,read-only "
             "-cdrom /cd -drive file=/b,media=cdrom,readonly=off");
    assert_int_equal(config.drive_count, 3);
    const struct config_drive *d = &config.drives[0];
    assert_string_equal(d->id, "d0");
    assert_string_equal(d->qdev, "disk");
    assert_string_equal(d->serial, "SN1");
    assert_string_equal(d->model, "M");
    assert_string_equal(d->version, "V1");
    assert_int_equal(d->wwn, 0x5000c500a1b2c3d4);
    assert_int_equal(d->cyls, 100);
    assert_int_equal(d->heads, 16);
    assert_int_equal(d->secs, 63);
    assert_true(d->discard);
    assert_true(d->read_only);
    assert_string_equal(config.drives[1].id, "ide0-cd1");
    assert_true(config.drives[1].read_only); /* a CD always is */
    assert_string_equal(config.drives[2].file, "/cd");
    assert_int_equal(config.drives[2].ide_unit, 2);
    assert_string_equal(config.drives[2].id, "ide1-cd0");
    accepted(BASE "-hda /a,b=c -hdb b -hdd d");
    assert_string_equal(config.drives[0].file, "/a,b=c"); /* the whole argument is the name */
    assert_int_equal(config.drives[2].ide_unit, 3);
    accepted(BASE "-drive file=/a,bus=1,unit=1 -device ide-cd,bus=ide.1");
    assert_int_equal(config.drives[0].ide_unit, 2);
    assert_true(config.drives[0].empty);
    assert_int_equal(config.drives[1].ide_unit, 3);
    /* XAPI's disk, and its serial number from the -drive. */
    accepted(BASE "-drive file=/dev/sm/backend/x,if=none,id=ide0-hd0,auto-read-only=off,format=raw,"
                  "serial=QM00001 -device ide-hd,drive=ide0-hd0,bus=ide.0,unit=0");
    assert_string_equal(config.drives[0].serial, "QM00001");

    static const struct refusal refusals[] = {
        {"-drive file=/a,index=4", "-drive|index="},
        {"-drive file=/a,index=0 -drive file=/b,index=0", "channel 0, unit 0|two drives"},
        {"-drive file=/a,index=0 -device ide-cd,bus=ide.0,unit=0", "two drives"},
        {"-hda a -hdb b -hdc c -hdd d -drive file=/e", "-drive|no free IDE unit"},
        {"-drive file=/a,index=0,unit=1", "-drive|index="},
        {"-drive file=/a,if=none,id=x,index=1 -device ide-hd,drive=x", "-drive|-device"},
        {"-drive file=/a,if=virtio", "-drive|if=virtio|if=ide"},
        {"-drive file=/a,media=tape", "-drive|media=tape"},
        {"-drive file=/a,cache=fast", "-drive|cache=fast|writeback"},
        {"-drive file=/a,discard=maybe", "-drive|discard=maybe"},
        {"-drive file=/a,werror=never", "-drive|werror=never|report, ignore, stop, enospc"},
        {"-drive file=/a,werror=auto", "-drive|werror=auto"},
        {"-drive file=/a,rerror=enospc", "-drive|rerror=enospc|report"},
        {"-drive file=/a,aio=posix", "-drive|aio=posix|threads"},
        {"-drive file=/a,snapshot=on", "-drive|snapshot=on"},
        {"-drive file=/a,readonly=perhaps", "-drive|readonly=|perhaps"},
        {"-drive file=/a,throttling.iops-total=x", "-drive|throttling.iops-total="},
        {"-drive file=/a,throttling.iops-total=3,throttling.iops-read=2", "exclude"},
        {"-drive file=/a,throttling.bps-total-max=3", "throttling|lasting limit"},
        {"-drive file=/a,throttling.group=g -drive file=/b,throttling.group=g",
         "throttling.group=g|ide0-hd0"},
        {"-drive file=/a,cache=none,cache.no-flush=on", "cache.no-flush=on|cache.direct"},
        {"-drive file=/a,detect-zeroes=unmap", "detect-zeroes=unmap|discard=unmap"},
        {"-drive file=/a,detect-zeroes=maybe", "detect-zeroes=maybe"},
        {"-drive file=/a,format=qed", "format=qed|qemu-img convert -f qed -O raw /a"},
        {"-drive file=/a,format=vmdk", "format=vmdk|qemu-img convert -f vmdk"},
        {"-drive file=/a,format=exfat", "format=exfat|not known"},
        {"-drive file=/a,cyls=3", "-drive|cyls="},
        {"-drive if=ide,index=0", "file=|missing"},
        {"-drive file=,index=0", "file=|missing"},
        {"-drive ''", "file=|missing"},
        {"-drive if=none,file=/a", "-drive|id="},
        {"-drive if=none,file=/a,id=x", "-drive|no -device|x"},
        {"-drive if=none,file=/a,id=x -drive if=none,file=/b,id=x", "id=x|twice"},
        {"-drive file=/b,id=ide0-hd1,index=0 -drive file=/b,index=1", "ide0-hd1|twice"},
        {"-drive if=none,file=/a,id=x -device ide-hd,drive=x -device ide-hd,drive=x",
         "-device|drive=x|used already"},
        {"-device ide-hd", "-device|drive="},
        {"-device ide-hd,drive=x", "-device|x"},
        {"-drive file=/a,id=x -device ide-hd,drive=x", "if=none"},
        {"-device ide-cd,id=a -device ide-cd,id=a", "id=a|twice"},
        {"-device ide-cd,bus=ide.2", "-device|ide.2"},
        {"-device ide-cd,bus=ide.", "-device|ide."},
        {"-device ide-cd,unit=2", "-device|unit="},
        {"-device ide-cd,bootindex=1", "-device|bootindex|-boot"},
        {"-device ide-cd,cyls=1", "-device|cyls="},
        {"-device ide-hd,drive=x,heads=3 -drive if=none,id=x,file=/a", "cyls=|together"},
        {"-device ide-hd,drive=x,logical_block_size=1024 -drive if=none,id=x,file=/a",
         "logical_block_size=1024|512 or 4096"},
        {"-device ide-cd,logical_block_size=4096", "logical_block_size=4096"},
        {"-device ide-hd,drive=x,physical_block_size=1000 -drive if=none,id=x,file=/a",
         "physical_block_size=1000|power of two"},
        {"-device ide-hd,drive=x,bios-chs-trans=big -drive if=none,id=x,file=/a",
         "bios-chs-trans=big|auto, none, lba, large, rechs"},
        {"-device ide-cd,bios-chs-trans=lba", "bios-chs-trans"},
        {"-device ide-hd,drive=x,write-cache=off -drive if=none,id=x,file=/a,cache=unsafe",
         "write-cache=off|cache=unsafe"},
        {"-device ide-hd,drive=x,heads=17 -drive if=none,id=x,file=/a", "heads="},
        {"-device ide-hd,drive=x,serial=123456789012345678901 -drive if=none,id=x,file=/a",
         "serial=|20"},
        {"-device 'ide-hd,drive=x,model=a\tb' -drive if=none,id=x,file=/a", "model=|ASCII"},
        {"-device ide-hd,drive=x,logical_block_size=4096,physical_block_size=512 "
         "-drive if=none,id=x,file=/a",
         "physical_block_size=512|logical_block_size=4096"},
        {"-drive file=rbd:pool/image,format=raw", "rbd:|protocol"},
        {"-drive 'file=json:{}'", "json:|protocol"},
        {"-drive file=nbd:127.0.0.1:1", "nbd:|protocol"},
    };
    REFUSED_ALL(refusals);
    static const char *const formats[] = {"qcow", "qed", "vmdk", ""};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        char line[256];
        snprintf(line, sizeof(line), BASE "-drive file=/a,format=%s", formats[i]);
        refused(line, "-drive|format=|raw");
    }
    accepted(BASE "-drive file=./nbd:127.0.0.1:1");
    accepted(BASE "-drive file=/a:b");
}

static void test_file_names(void **state)
{
    (void)state;
    accepted(BASE "-drive 'file=/my guests/a = b,,c,,,,d=e,if=ide'");
    assert_string_equal(config.drives[0].file, "/my guests/a = b,c,,d=e");
    accepted(BASE "-drive file=/a,,");
    assert_string_equal(config.drives[0].file, "/a,");
    accepted(BASE "-drive file=,,,if=ide");
    assert_string_equal(config.drives[0].file, ",");
    accepted(BASE "-drive file=/\x01\xff\xfe,if=ide"); /* the kernel takes any byte */
    assert_string_equal(config.drives[0].file, "/\x01\xff\xfe");
    /* libxl does not double commas. */
    refused(BASE "-drive file=/guest/a,b.img,if=ide,index=0", "-drive|'b.img'|comma|twice");
    refused(BASE "-drive file=/guest/a,b=1.img,if=ide,index=0", "-drive|b=|comma|twice");
    refused(BASE "-drive file=/a,", "");
    refused(BASE "-drive file=/a,=x", "-drive|comma");
    refused(BASE "-drive file=/a,file=/b", "-drive|file|twice");

    /* A name of 4 KiB, all commas. */
    char *line = malloc(20000), *p = line;
    assert_non_null(line);
    p = stpcpy(p, BASE "-drive file=/");
    for (int i = 0; i < 4094; i++)
        p = stpcpy(p, ",,");
    strcpy(p, ",if=ide,format=raw");
    accepted(line);
    assert_int_equal(strlen(config.drives[0].file), 4095);
    assert_int_equal(config.drives[0].file[4094], ',');
    memset(line, 'x', 19999);
    memcpy(line, BASE "-drive file=", strlen(BASE "-drive file="));
    line[19999] = '\0';
    refused(line, "-drive|longer than");
    /* A message about a name of any length stays one line within bounds. */
    line[strlen(BASE "-drive file=") + 8000] = '\0';
    memcpy(line + strlen(BASE "-drive file="), "rbd:", 4);
    refused(line, "-drive|rbd:");
    memcpy(line + strlen(BASE "-drive "), "a\nb\x1b[2J=", 8);
    refused(line, "-drive|a?b?");
    free(line);
}

int main(void)
{
    config.incoming_fd = -1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disks),    cmocka_unit_test(test_drive_keys),
        cmocka_unit_test(test_floppies), cmocka_unit_test(test_drive_policies),
        cmocka_unit_test(test_blockdev), cmocka_unit_test(test_file_names),
        cmocka_unit_test(test_ahci),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
