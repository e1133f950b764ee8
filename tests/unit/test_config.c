/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_config: argument lines as libxl and others give them. */
#include <sys/socket.h>

#include "tests/unit/config_rig.h"

/* ---- libxl-argv.md, case by case. Cirrus is libxl's default card. ---- */

static void test_minimal(void **state)
{
    (void)state;
    static const char tail[] = "-boot order=cda -net none " SUFFIX;
    char line[2048];
    snprintf(line, sizeof(line), "%s%s%s", PREFIX "-vnc 127.0.0.1:0,to=99 -display none ",
             "-device cirrus-vga,vgamem_mb=8 ", tail);
    accepted(line);
    assert_int_equal(config.vga, CONFIG_VGA_CIRRUS);

    snprintf(line, sizeof(line), "%s%s%s", PREFIX "-vnc 127.0.0.1:0,to=99 -display none ", STDVGA,
             tail);
    accepted(line);
    assert_int_equal(config.action, CONFIG_RUN);
    assert_int_equal(config.domid, 7);
    assert_string_equal(config.name, "guest");
    assert_true(config.platform_pci);
    assert_true(config.no_shutdown);
    assert_false(config.start_paused);
    assert_false(config.restricted);
    assert_true(config.seccomp);
    assert_int_equal(config.ram_bytes, 56 << 20);
    assert_int_equal(config.below_4g_end, 0xf0000000);
    assert_int_equal(config.vcpus, 1);
    assert_int_equal(config.max_vcpus, 1);
    assert_string_equal(config.boot_order, "cda");
    assert_int_equal(config.vga, CONFIG_VGA_STD);
    assert_int_equal(config.vga_mib, 16);
    assert_int_equal(config.drive_count, 0);
    assert_int_equal(config.serial_count, 0);
    assert_int_equal(config.incoming_fd, -1);
    assert_int_equal(config.monitor_count, 2);
    assert_string_equal(config.monitors[0].chardev_id, "libxl-cmd");
    assert_string_equal(config.monitors[0].path, "/var/run/xen/qmp-libxl-7");
    assert_int_equal(config.monitors[0].fd, -1);
    assert_string_equal(config.monitors[1].chardev_id, "libxenstat-cmd");
    assert_string_equal(config.monitors[1].path, "/var/run/xen/qmp-libxenstat-7");
    assert_true(config.vnc.enabled);
    assert_string_equal(config.vnc.host, "127.0.0.1");
    assert_int_equal(config.vnc.display, 0);
    assert_int_equal(config.vnc.to, 99);
    assert_false(config.vnc.password);
    assert_true(config.vnc.lock_key_sync);
    assert_null(config.keymap);
    assert_false(config.run_as);
}

static void test_vnc(void **state)
{
    (void)state;
    accepted(PREFIX "-vnc 0.0.0.0:0,password=on,to=99 -display none -k de " STDVGA
                    "-boot order=cda -net none " SUFFIX);
    assert_string_equal(config.vnc.host, "0.0.0.0");
    assert_true(config.vnc.password);
    assert_int_equal(config.vnc.to, 99);
    assert_string_equal(config.keymap, "de");

    accepted(PREFIX "-vnc 127.0.0.1:3 -display none " STDVGA "-boot order=cda " SUFFIX);
    assert_int_equal(config.vnc.display, 3);
    assert_int_equal(config.vnc.to, 3);

    accepted(BASE "-vnc 127.0.0.1:0,password"); /* before Xen 4.15 */
    assert_true(config.vnc.password);
    accepted(BASE "-vnc [::1]:2,to=4,share=force-shared,lock-key-sync=off,lossy,id=default");
    assert_string_equal(config.vnc.host, "::1");
    assert_int_equal(config.vnc.display, 2);
    assert_int_equal(config.vnc.to, 4);
    assert_true(config.vnc.share_force);
    assert_false(config.vnc.lock_key_sync);
    accepted(BASE "-vnc :::0"); /* libxl with vnclisten="::" */
    assert_string_equal(config.vnc.host, "::");
    accepted(BASE "-vnc :5,share=ignore");
    assert_string_equal(config.vnc.host, "");
    assert_true(config.vnc.share_ignore);
    accepted(BASE "-vnc unix:/run/a=b,,c,lock-key-sync=off");
    assert_string_equal(config.vnc.unix_path, "/run/a=b,c");
    assert_null(config.vnc.host);
    accepted(BASE "-vnc 127.0.0.1:4,websocket,require-auth=on -vncviewer");
    assert_true(config.vnc.websocket && config.vnc.require_auth && config.vnc.viewer);
    assert_int_equal(config.vnc.web_port, 0);
    assert_int_equal(config.vnc.family, AF_UNSPEC);
    accepted(BASE "-vnc :4,websocket=8080,websocket-tls=/etc/hvm-dm,ipv6=off");
    assert_null(config.vnc.web_host);
    assert_int_equal(config.vnc.web_port, 8080);
    assert_string_equal(config.vnc.web_tls, "/etc/hvm-dm");
    assert_int_equal(config.vnc.family, AF_INET);
    accepted(BASE "-vnc unix:/run/x,websocket=[::1]:8080");
    assert_string_equal(config.vnc.web_host, "::1");
    accepted(BASE "-vnc :0,ipv6,websocket=off");
    assert_int_equal(config.vnc.family, AF_INET6);
    assert_false(config.vnc.websocket);
    refused(BASE "-vnc :0,websocket=x", "-vnc|websocket=x");
    refused(BASE "-vnc :0,websocket=65536", "-vnc|websocket=65536");
    refused(BASE "-vnc unix:/run/x,websocket", "-vnc|websocket=|PORT");
    refused(BASE "-vnc :0,websocket-tls=/x", "-vnc|websocket-tls=");
    refused(BASE "-vnc :0,ipv4=off,ipv6=off", "-vnc|ipv6");
    refused(BASE "-vnc fd:1", "-vnc fd:1");
    refused(BASE "-vnc fd:x", "-vnc fd:x");
    refused(BASE "-vnc fd:999", "-vnc fd:999");
    accepted(BASE "-vnc none");
    assert_false(config.vnc.enabled);

    refused(BASE "-vnc 127.0.0.1", "-vnc|HOST:DISPLAY");
    refused(BASE "-vnc ''", "-vnc|missing");
    refused(BASE "-vnc 127.0.0.1:59636", "-vnc|59635");
    refused(BASE "-vnc 127.0.0.1:-1", "-vnc");
    refused(BASE "-vnc 127.0.0.1:0x", "-vnc");
    refused(BASE "-vnc 127.0.0.1:5,to=4", "-vnc|to=4");
    refused(BASE "-vnc 127.0.0.1:5,to=", "-vnc|to=");
    refused(BASE "-vnc :5,to=99999", "-vnc|to=");
    refused(BASE "-vnc :5,share=maybe", "-vnc|share=");
    refused(BASE "-vnc :5,tls,x509=/etc/x", "-vnc|tls");
    refused(BASE "-vnc :5,sasl=on", "-vnc|sasl");
    refused(BASE "-vnc :5,reverse=on", "-vnc|reverse");
    refused(BASE "-vnc :5,whatever=on", "-vnc|whatever=");
    refused(BASE "-vnc :5 -vnc :6", "-vnc|one VNC server");
    refused(BASE "-vnc unix:/a,to=3", "-vnc|to=");
    refused(BASE "-k ../../etc/passwd", "-k|keymap");
    refused(BASE "-k us,de", "-k|keymap");
    refused(BASE "-k ''", "-k");
}

static void test_no_screen(void **state)
{
    (void)state;
    accepted(PREFIX "-vnc none -display none -serial pty -nographic " STDVGA
                    "-boot order=cda -net none " SUFFIX);
    assert_false(config.vnc.enabled);
    assert_int_equal(config.serial_count, 1);
    assert_int_equal(config.serial[0].kind, CHARDEV_PTY);
    /* vga="none": no card at all. */
    accepted(PREFIX "-vnc 127.0.0.1:0,to=99 -display none -boot order=cda -net none -machine "
                    "xenfv,suppress-vmdesc=on,max-ram-below-4g=3221225472 -m 64");
    assert_int_equal(config.vga, CONFIG_VGA_NONE);
    assert_int_equal(config.below_4g_end, 3221225472u);
    assert_int_equal(config.ram_bytes, 64 << 20);
}

static void test_window(void **state)
{
    (void)state;
    accepted(PREFIX "-vnc none -display none -display sdl " STDVGA SUFFIX); /* sdl=1 opengl=1 */
    assert_true(config.sdl.enabled);
    assert_false(config.sdl.full_screen || config.sdl.ignore_close || config.sdl.show_cursor);
    assert_int_equal(config.sdl.grab, CONFIG_GRAB_CTRL_ALT);
    accepted(BASE "-display none");
    assert_false(config.sdl.enabled);
    accepted(BASE "-sdl -disable-opengl -full-screen"); /* as xend says it */
    assert_true(config.sdl.enabled && config.sdl.full_screen);
    accepted(BASE "-display sdl,gl=on,window-close=off,grab-mod=rctrl,show-cursor=on");
    assert_true(config.sdl.enabled && config.sdl.ignore_close && config.sdl.show_cursor);
    assert_int_equal(config.sdl.grab, CONFIG_GRAB_RIGHT_CTRL);
    accepted(BASE "-display sdl,gl=off,window-close=on,grab-mod=lshift-lctrl-lalt,full-screen=on");
    assert_true(config.sdl.full_screen && !config.sdl.ignore_close);
    assert_int_equal(config.sdl.grab, CONFIG_GRAB_SHIFT);
    accepted(BASE "-display sdl,ctrl_grab=on,window_close=off");
    assert_int_equal(config.sdl.grab, CONFIG_GRAB_RIGHT_CTRL);
    assert_true(config.sdl.ignore_close);
    accepted(BASE "-display sdl,alt_grab=on");
    assert_int_equal(config.sdl.grab, CONFIG_GRAB_SHIFT);

    refused(BASE "-display gtk", "-display gtk|-display sdl");
    refused(BASE "-display sdl,gl=maybe", "-display|gl=maybe");
    refused(BASE "-display sdl,grab-mod=lalt", "-display|grab-mod=|lalt");
    refused(BASE "-display sdl,window-close=perhaps", "-display|window-close=");
    refused(BASE "-display sdl,whatever=on", "-display|whatever=");
    refused(BASE "-display none,gl=on", "-display|gl=");
    refused(BASE "-display ''", "-display|missing");
}

static void test_serial(void **state)
{
    (void)state;
    accepted(
        PREFIX
        "-vnc none -display none -serial pty -serial unix:/tmp/ser,server,nowait " STDVGA SUFFIX);
    assert_int_equal(config.serial_count, 2);
    assert_int_equal(config.serial[0].kind, CHARDEV_PTY);
    assert_int_equal(config.serial[1].kind, CHARDEV_UNIX);
    assert_string_equal(config.serial[1].path, "/tmp/ser");
    assert_true(config.serial[1].server);
    assert_false(config.serial[1].wait);
    assert_int_equal(config.serial[1].fd, -1);

    accepted(BASE "-serial none -serial '/dev/null' -serial stdio -serial 'file:/a b,c=d'");
    assert_int_equal(config.serial_count, 4);
    assert_true(config.serial_absent[0]);
    assert_false(config.serial_absent[1]);
    assert_int_equal(config.serial[1].kind, CHARDEV_NULL);
    assert_int_equal(config.serial[2].kind, CHARDEV_STDIO);
    assert_int_equal(config.serial[3].kind, CHARDEV_FILE);
    assert_string_equal(config.serial[3].path, "/a b,c=d"); /* not split */

    accepted(BASE "-serial tcp:[::1]:4444,server=on,wait=off,nodelay -serial tcp:host:telnet "
                  "-serial unix:/x=y,server");
    assert_int_equal(config.serial[0].kind, CHARDEV_TCP);
    assert_string_equal(config.serial[0].host, "::1");
    assert_string_equal(config.serial[0].port, "4444");
    assert_true(config.serial[0].server);
    assert_true(config.serial[0].nodelay);
    assert_false(config.serial[1].server);
    assert_string_equal(config.serial[1].port, "telnet");
    assert_false(config.serial[1].wait);
    assert_string_equal(config.serial[2].path, "/x=y");
    assert_true(config.serial[2].wait); /* qemu's default for a server */

    /* XAPI; the -chardev may come later. */
    accepted(BASE "-serial chardev:serial0 -chardev file,id=serial0,append=on,path=/x,,y");
    assert_int_equal(config.serial[0].kind, CHARDEV_FILE);
    assert_string_equal(config.serial[0].path, "/x,y");
    assert_true(config.serial[0].append);
    accepted(BASE "-chardev socket,id=a,host=,port=99,server,nowait -serial chardev:a "
                  "-chardev pty,id=b -serial chardev:b -chardev null,id=c -serial chardev:c "
                  "-chardev stdio,id=d -serial chardev:d");
    assert_int_equal(config.serial[0].kind, CHARDEV_TCP);
    assert_string_equal(config.serial[0].host, "");
    assert_int_equal(config.serial[3].kind, CHARDEV_STDIO);

    refused(BASE "-serial pty -serial pty -serial pty -serial pty -serial pty", "-serial|4");
    refused(BASE "-serial /dev/ttyS0", "-serial /dev/ttyS0|pty");
    refused(BASE "-serial unix:", "-serial|missing");
    refused(BASE "-serial file:", "-serial|missing");
    refused(BASE "-serial tcp:host", "-serial|HOST:PORT");
    refused(BASE "-serial tcp:host:", "-serial|HOST:PORT");
    refused(BASE "-serial unix:/a,foo", "-serial|foo");
    refused(BASE "-serial chardev:nope", "-serial|nope");
    refused(BASE "-serial chardev:a -serial chardev:a -chardev pty,id=a", "-serial|used already");
    refused(BASE "-chardev pty,id=libxl-channel0", "-chardev|libxl-channel0|channel");
    refused(BASE "-chardev pty", "-chardev|id=");
    refused(BASE "-chardev pty,id=0a", "-chardev|id=0a");
    refused(BASE "-chardev pty,id=a -chardev pty,id=a", "-chardev|twice");
    refused(BASE "-chardev tty,id=a,path=/dev/ttyS0", "-chardev tty|socket");
    refused(BASE "-chardev socket,id=a,server=on", "-chardev|path=");
    refused(BASE "-chardev socket,id=a,path=/a,fd=3", "-chardev|one of");
    refused(BASE "-chardev socket,id=a,host=x", "-chardev|port=");
    refused(BASE "-chardev file,id=a", "-chardev|path=");
    refused(BASE "-chardev ''", "-chardev|backend");
    refused(BASE "-chardev socket,id=a,path=/a,server=maybe", "-chardev|server=|maybe");
    refused(BASE "-chardev socket,id=a,path=/a,tls-creds=x", "-chardev|tls-creds");
    char line[512];
    snprintf(line, sizeof(line), BASE "-serial unix:/%0120d", 0);
    refused(line, "-serial|107 characters");
    accepted(BASE "-parallel null -monitor /dev/null");
    assert_true(config.have_parallel);
    assert_int_equal(config.parallel.kind, CHARDEV_NULL);
    accepted(BASE "-parallel none");
    assert_false(config.have_parallel);
    accepted(BASE "-parallel 'file:/tmp/print,out'");
    assert_string_equal(config.parallel.path, "/tmp/print,out");
    accepted(BASE "-chardev file,id=lp,path=/lp -parallel chardev:lp -parallel none");
    assert_int_equal(config.parallel.kind, CHARDEV_FILE);
    assert_string_equal(config.parallel.path, "/lp");
    refused(BASE "-parallel chardev:lp", "-parallel|id=lp");
    refused(BASE "-parallel null -parallel null", "-parallel|one parallel port");
    refused(BASE "-chardev null,id=a -serial chardev:a -parallel chardev:a", "-parallel|used");
}

static void test_refused_devices(void **state)
{
    (void)state;
    accepted(BASE "-net none -nic none");
    refused(BASE "-kernel /guest/a.img -initrd /guest/b.img -append 'console=ttyS0 quiet'",
            "-kernel|disk or CD");
    refused(BASE "-spice port=1", "-spice|vnc=1");
    static const struct {
        const char *device, *words;
    } cases[] = {
        {"ich9-usb-ehci1,id=usb", "ich9-usb-ehci1|usbctrl="},
        {"es1370", "es1370|soundhw="},
        {"hda-duplex", "hda-duplex|soundhw="},
        {"qxl-vga,vram_size_mb=64", "qxl-vga|stdvga"},
        {"e1000e", "e1000e|model=e1000 or rtl8139|type=vif"},
        {"xen-platform,addr=3", "xen-platform|-machine xenfv"},
        {"xen-pvdevice,device-id=0xc000", "xen-pvdevice|vendor_device="},
        {"xen-pci-passthrough", "xen-pci-passthrough|pci="},
        {"virtio-blk-pci", "virtio-blk-pci|hda"},
        {"isa-debugcon,iobase=0x402", "isa-debugcon"},
        {"virtio-serial", "virtio-serial|spice="},
        {"foo", "foo|no such device"},
        {"'foo bar'", "no such device"},
        {"VGAx", "VGAx|no such device"},
        {"''", "driver"},
        {"VGA,vgamem_mb=3", "vgamem_mb=3|power of two"},
        {"VGA,vgamem_mb=512", "vgamem_mb="},
        {"VGA,vgamem_mb=", "vgamem_mb="},
        {"VGA,addr=2", "addr="},
        {"VGA,romfile=", "romfile=|-L"},
        {"VGA,xres=1", "xres="},
        {"VGA -device VGA", "one display card"},
        {"VGA -vga std", "one display card"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[256];
        snprintf(line, sizeof(line), BASE "-device %s", cases[i].device);
        refused(line, cases[i].words);
    }
    accepted(BASE "-device VGA,id=v,bus=pci.0");
    assert_int_equal(config.vga_mib, 16);
    accepted(BASE "-vga std");
    assert_int_equal(config.vga, CONFIG_VGA_STD);
    assert_int_equal(config.vga_mib, 16);
    accepted(BASE "-vga none");
    assert_int_equal(config.vga, CONFIG_VGA_NONE);
    accepted(BASE "-device VGA");
    assert_int_equal(config.vga_edid, CONFIG_DEFAULT);
    accepted(BASE "-device VGA,edid=on,xres=1920,yres=1080,vgamem_mb=256");
    assert_int_equal(config.vga_edid, CONFIG_ON);
    assert_int_equal(config.vga_xres, 1920);
    assert_int_equal(config.vga_yres, 1080);
    accepted(BASE "-device VGA,edid=off");
    assert_int_equal(config.vga_edid, CONFIG_OFF);
    refused(BASE "-device VGA,xres=1366", "xres=1366|multiple of 8");
    refused(BASE "-device VGA,xres=8192", "xres|4088");
    refused(BASE "-device VGA,yres=10", "yres|480");
    refused(BASE "-device VGA,vgamem_mb=512", "vgamem_mb|256");
    refused(BASE "-device cirrus-vga,edid=on", "edid");
    accepted(BASE "-vga cirrus");
    assert_int_equal(config.vga, CONFIG_VGA_CIRRUS);
    accepted(BASE "-device cirrus-vga,vgamem_mb=16,id=v");
    refused(BASE "-device cirrus-vga,vgamem_mb=32", "vgamem_mb|32|16");
    refused(BASE "-device cirrus-vga,vgamem_mb=2", "vgamem_mb|4");
    refused(BASE "-device cirrus-vga,vgamem_mb=6", "vgamem_mb|power of two");
    refused(BASE "-device cirrus-vga -device VGA", "one display card");
    refused(BASE "-vga qxl", "-vga qxl|cirrus, std or none");
}

static void test_misc(void **state)
{
    (void)state;
    refused(PREFIX "-vnc 127.0.0.1:0,to=99 -display none -device VGA,vgamem_mb=16 -boot order=cda "
                   "-smp 4,maxcpus=8 -net none -machine pc,accel=xen,suppress-vmdesc=on -foo bar "
                   "-m 48",
            "-foo|not an option");
    accepted(PREFIX "-vnc 127.0.0.1:0,to=99 -display none -device VGA,vgamem_mb=16 -boot order=cda "
                    "-smp 4,maxcpus=8 -net none -machine pc,accel=xen,suppress-vmdesc=on -m 48");
    assert_false(config.platform_pci);
    assert_int_equal(config.vcpus, 4);
    assert_int_equal(config.max_vcpus, 8);
    assert_int_equal(config.ram_bytes, 48 << 20);
    accepted(PREFIX SUFFIX " -device VGA,vgamem_mb=8 -smp 2");
    assert_int_equal(config.max_vcpus, 2);
    assert_int_equal(config.vga_mib, 8);

    accepted("--xen-domid 32751 --machine xenfv-3.1 -m size=1G -smp cpus=2,sockets=1,cores=2");
    assert_int_equal(config.domid, 32751);
    assert_int_equal(config.ram_bytes, 1 << 30);
    accepted(BASE "-M pc -accel xen -m 2g -rtc base=utc,clock=host -boot dc -S");
    assert_false(config.platform_pci);
    assert_int_equal(config.ram_bytes, UINT64_C(2) << 30);
    assert_true(config.start_paused);
    assert_string_equal(config.boot_order, "dc");
    accepted(BASE "-rtc base=utc -boot n -m 0x40 -m 4194304K");
    assert_int_equal(config.ram_bytes, UINT64_C(4) << 30);
    accepted(BASE);
    assert_string_equal(config.boot_order, "cad");
    assert_int_equal(config.vga, CONFIG_VGA_NONE);
    accepted(BASE "-name guest=a,,b,debug-threads=on -pidfile /run/x -L /a -L /b -trace "
                  "enable=xen_platform_log -no-hpet -nodefconfig");
    assert_string_equal(config.name, "a,b");
    assert_string_equal(config.pidfile, "/run/x");
    assert_int_equal(config.rom_dir_count, 2);
    assert_string_equal(config.rom_dirs[1], "/b");
    accepted(BASE "-machine max-ram-below-4g=4G");
    assert_int_equal(config.below_4g_end, 0xf0000000);
    accepted(BASE "-machine max-ram-below-4g=2G");
    assert_int_equal(config.below_4g_end, 0x80000000);

    static const struct {
        const char *args, *words;
    } cases[] = {
        {"-xen-domid 7 -m 56", "-machine|missing"},
        {"-machine xenfv -m 56", "-xen-domid|missing"},
        {"-machine xenfv -xen-domid 7", "-m|missing"},
        {"-machine pc -xen-domid 7 -m 56", "accel=xen|missing"},
        {BASE "-xen-domid", "-xen-domid|missing"},
        {BASE "-xen-domid 0", "-xen-domid|'0'"},
        {BASE "-xen-domid 32752", "-xen-domid"},
        {BASE "-xen-domid 99999999999999999999999", "-xen-domid"},
        {BASE "-xen-domid -1", "-xen-domid"},
        {BASE "-xen-domid ' 7'", "-xen-domid"},
        {BASE "-machine q35", "-machine q35|xenfv"},
        {BASE "-machine pc-i440fx-2.10,accel=xen", "pc-i440fx-2.10|xenfv"},
        {BASE "-machine pc,accel=kvm", "accel=kvm|accel=xen"},
        {BASE "-machine xenfv,igd-passthru=on", "igd-passthru=on"},
        {BASE "-machine xenfv,suppress-vmdesc=off", "suppress-vmdesc=off"},
        {BASE "-machine xenfv,max-ram-below-4g=5G", "max-ram-below-4g=5G"},
        {BASE "-machine xenfv,max-ram-below-4g=1", "max-ram-below-4g=1"},
        {BASE "-machine xenfv,what=1", "what="},
        {BASE "-M xenpv", "-M xenpv|qemu"},
        {BASE "-accel kvm", "-accel kvm|xen"},
        {BASE "-m 0", "-m|'0'"},
        {BASE "-m 56X", "-m|56X"},
        {BASE "-m 99999999999", "-m"},
        {BASE "-m 18446744073709551616", "-m"},
        {BASE "-m 1.5G", "-m|1.5G"},
        {BASE "-m 1048577B", "-m|whole pages"},
        {BASE "-m ''", "-m|missing"},
        {BASE "-m 64,slots=2", "-m|slots="},
        {BASE "-smp 0", "-smp"},
        {BASE "-smp 129", "-smp|128"},
        {BASE "-smp 4,maxcpus=2", "-smp|maxcpus=2"},
        {BASE "-smp 4,maxcpus=200", "-smp|maxcpus"},
        {BASE "-smp maxcpus=2", "-smp|cpus="},
        {BASE "-boot order=cx", "-boot|order=cx"},
        {BASE "-boot order=cc", "-boot|twice"},
        {BASE "-boot order=cdnaa", "-boot|order="},
        {BASE "-boot ''", ""},
        {BASE "-boot once=d", "-boot|once="},
        {BASE "-boot menu=on", "-boot|menu=on"},
        {BASE "-rtc base=2020-01-01", "-rtc|2020-01-01"},
        {BASE "-rtc base=localtime", "-rtc|base=localtime|localtime="},
        {BASE "-rtc clock=vm", "-rtc|clock=vm"},
        {BASE "-name ''", ""},
        {BASE "-incoming defer", "-incoming defer|fd:N"},
        {BASE "-incoming fd:999", "-incoming fd:999"},
        {BASE "-incoming fd:2", "-incoming fd:2"},
        {BASE "-incoming fd:x", "-incoming fd:x"},
        {BASE "-display gtk,gl=on", "-display gtk:|-vnc"},
        {BASE "-fda ''", "-fda|missing"},
        {BASE "-soundhw sb16", "-soundhw|leave soundhw= out"},
        {BASE "-no-acpi", "-no-acpi|acpi=0"},
        {BASE "-bios x", "-bios|bios="},
        {BASE "-xen-attach", "-xen-attach|qemu"},
        {BASE "-daemonize", "-daemonize|foreground"},
        {BASE "-loadvm x", "-loadvm|restoring"},
        {BASE "bar", "bar|not an option"},
        {BASE "''", "''|not an option"},
        {BASE "-", "-|not an option"},
        {BASE "--", "--|not an option"},
        {BASE "---m 3", "---m|not an option"},
        {BASE "'-a\nb'", "-a?b"},
        {BASE "-L ''", "-L"},
        {BASE "-pidfile ''", "-pidfile"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!*cases[i].words) {
            parse(cases[i].args); /* either way, but unharmed */
            continue;
        }
        refused(cases[i].args, cases[i].words);
    }
    char line[200];
    memset(line, 'y', sizeof(line) - 1);
    line[0] = '-';
    line[199] = '\0';
    refused(line, "-yyyy|not an option");
}

static void test_traditional(void **state)
{
    (void)state;
    refused("-d 21 -domain-name t -vnc 127.0.0.1:0,password -vncunused -serial pty -videoram 4 "
            "-boot c -usb -usbdevice tablet -soundhw sb16 -acpi -vcpu_avail 0x01 -net nic,vlan=0,"
            "macaddr=00:16:3e:00:00:01,model=ne2k_pci -net tap,vlan=0,ifname=vif21.0-emu,"
            "bridge=xenbr0,script=no,downscript=no -M xenfv",
            "-d|device_model_version=\"qemu-xen-traditional\"|device_model_version=\"qemu-xen\"");
    static const char *const words[] = {"-domain-name t", "-videoram 4", "-vcpu_avail 0x01",
                                        "-acpi",          "-std-vga",    "-vncunused"};
    for (size_t i = 0; i < 6; i++)
        refused(words[i], "qemu-xen-traditional");
}

static void test_confinement(void **state)
{
    (void)state;
    accepted(BASE "-xen-domid-restrict -chroot /var/run/xen/qemu-root-7 -runas 65534:65533");
    assert_true(config.restricted);
    assert_string_equal(config.chroot_dir, "/var/run/xen/qemu-root-7");
    assert_true(config.run_as);
    assert_int_equal(config.uid, 65534);
    assert_int_equal(config.gid, 65533);
    accepted(BASE "-run-with chroot=/r -run-with user=1000:1001");
    assert_string_equal(config.chroot_dir, "/r");
    assert_int_equal(config.uid, 1000);
    assert_int_equal(config.gid, 1001);
    accepted(BASE "-runas root");
    assert_true(config.run_as);
    assert_int_equal(config.uid, 0);
    accepted(BASE
             "-sandbox on,obsolete=deny,elevateprivileges=allow,spawn=deny,resourcecontrol=deny");
    assert_true(config.seccomp);
    accepted(BASE "-sandbox off");
    assert_false(config.seccomp);

    refused(BASE "-runas no-such-user-here", "-runas|no-such-user-here");
    refused(BASE "-runas 1:", "-runas");
    refused(BASE "-runas :1", "-runas");
    refused(BASE "-runas 4294967295:1", "-runas"); /* (uid_t)-1 would drop nothing */
    refused(BASE "-runas 1:4294967295", "-runas");
    refused(BASE "-runas 1:2:3", "-runas");
    refused(BASE "-runas 11111111111111111111111:2", "-runas");
    refused(BASE "-run-with user=x:y", "-run-with|user=");
    refused(BASE "-run-with chroot=rel", "-run-with|chroot=|absolute");
    refused(BASE "-chroot rel", "-chroot|absolute");
    refused(BASE "-chroot ''", "-chroot");
    refused(BASE "-sandbox maybe", "-sandbox|maybe");
    refused(BASE "-sandbox on,spawn=children", "-sandbox|spawn=children");
}

static void test_monitors(void **state)
{
    (void)state;
    accepted(BASE "-qmp unix:/run/qmp-libxl-7,server,nowait -qmp unix:/run/q2,server=on,wait=off");
    assert_int_equal(config.monitor_count, 2);
    assert_string_equal(config.monitors[0].path, "/run/qmp-libxl-7");
    assert_string_equal(config.monitors[1].chardev_id, "compat_monitor1");
    accepted(BASE "-mon a,mode=control -chardev socket,id=a,path=/a,server,nowait -qmp none");
    assert_string_equal(config.monitors[0].path, "/a");
    refused(BASE "-mon chardev=a,mode=lines", "-mon|mode=lines");
    refused(BASE "-mon mode=control", "-mon|chardev=");
    refused(BASE "-mon chardev=a,mode=control", "-mon|a");
    refused(BASE "-mon chardev=a,mode=control -chardev pty,id=a", "-mon|UNIX");
    refused(BASE "-mon chardev=a,mode=control -chardev socket,id=a,path=/a", "-mon|server=on");
    refused(BASE "-mon chardev=a,mode=control -chardev socket,id=a,path=/a,server", "wait=off");
    refused(BASE "-mon chardev=a,mode=control -mon chardev=a,mode=control "
                 "-chardev socket,id=a,path=/a,server,nowait",
            "-mon|used already");
    refused(BASE "-qmp stdio", "-qmp|UNIX");
    refused(BASE "-qmp tcp:127.0.0.1:4444,server,nowait", "-qmp|UNIX");
    refused(BASE "-qmp unix:/a -qmp unix:/b", "-qmp|server=on");
    refused(BASE "-qmp unix:/a,server,nowait -qmp unix:/a,server,nowait -qmp unix:/a,server,nowait "
                 "-qmp unix:/a,server,nowait -qmp unix:/a,server,nowait",
            "-qmp|more than 4");
}

/* What an inherited descriptor is given for. */
static void test_descriptors(void **state)
{
    (void)state;
    int fd[4];
    char line[512];
    for (int i = 0; i < 4; i++) {
        fd[i] = open("/dev/null", O_RDWR);
        assert_true(fd[i] >= 3);
    }
    snprintf(line, sizeof(line),
             BASE "-chardev socket,id=libxl-cmd,fd=%d,server=on,wait=off -S -mon "
                  "chardev=libxl-cmd,mode=control -incoming fd:%d -drive file=fd:%d,format=raw "
                  "-add-fd fd=%d,set=2,opaque='a,,b' -drive file=/dev/fdset/2,format=raw",
             fd[0], fd[1], fd[2], fd[3]);
    accepted(line);
    assert_int_equal(config.monitors[0].fd, fd[0]);
    assert_null(config.monitors[0].path);
    assert_int_equal(config.incoming_fd, fd[1]);
    assert_int_equal(config.drives[0].fd, fd[2]);
    assert_string_equal(config.drives[1].file, "/dev/fdset/2");
    assert_true(config.drives[1].fd > fd[3]); /* its own */
    assert_int_equal(config.fd_count, 1);
    assert_int_equal(config.fds[0].set, 2);
    assert_int_equal(config.fds[0].fd, fd[3]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(fcntl(fd[i], F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(config.drives[1].fd, F_GETFD), FD_CLOEXEC);
    close(config.drives[1].fd);

    snprintf(line, sizeof(line), BASE "-incoming fd:%d -drive file=fd:%d", fd[0], fd[0]);
    refused(line, "fd:|twice");
    snprintf(line, sizeof(line), BASE "-incoming fd:%d -incoming fd:%d", fd[0], fd[1]);
    refused(line, "-incoming|twice");
    snprintf(line, sizeof(line), BASE "-chardev socket,id=a,fd=%d -serial chardev:a", fd[0]);
    refused(line, "-chardev|server=on");
    snprintf(line, sizeof(line), BASE "-add-fd fd=%d", fd[0]);
    refused(line, "-add-fd|set=");
    for (int i = 0; i < 4; i++)
        close(fd[i]);
    refused(line, "-add-fd"); /* set= first */
    snprintf(line, sizeof(line), BASE "-add-fd fd=%d,set=1", fd[0]);
    refused(line, "-add-fd|Bad file descriptor");
    refused(BASE "-add-fd set=1", "-add-fd|fd=");
    refused(BASE "-add-fd fd=0,set=1", "-add-fd|fd=0");
    refused(BASE "-drive file=/dev/fdset/1", "/dev/fdset/1|-add-fd");
    refused(BASE "-drive file=/dev/fdset/", "/dev/fdset/|-add-fd");
    refused(BASE "-drive file=fd:", "fd:");
}

static void test_probe(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDWR);
    char line[512];
    snprintf(line, sizeof(line),
             "-S -no-user-config -nodefaults -nographic -machine none,accel=xen -chardev "
             "socket,id=libxl-cmd,fd=%d,server=on,wait=off -mon chardev=libxl-cmd,mode=control",
             fd);
    accepted(line);
    assert_int_equal(config.action, CONFIG_PROBE);
    assert_int_equal(config.monitor_count, 1);
    assert_int_equal(config.monitors[0].fd, fd);
    close(fd);
    refused("-machine none,accel=xen", "-machine none|-mon");
}

static void test_texts(void **state)
{
    (void)state;
    accepted("-version -foo"); /* answered at once, as qemu does */
    assert_int_equal(config.action, CONFIG_VERSION);
    accepted("--help");
    assert_int_equal(config.action, CONFIG_HELP);
    accepted("-h");
    assert_int_equal(config.action, CONFIG_HELP);
    refused("-foo -version", "-foo");
    int major, minor, micro;
    assert_int_equal(
        sscanf(config_version_line, "QEMU emulator version %d.%d.%d (", &major, &minor, &micro), 3);
    assert_int_equal(major, CONFIG_QEMU_MAJOR);
    assert_int_equal(minor, CONFIG_QEMU_MINOR);
    assert_non_null(strstr(config_version_line, "hvm-dm"));
    assert_ptr_equal(strchr(config_version_line, '\n') + 1,
                     config_version_line + strlen(config_version_line));
    for (const char *p = config_usage, *end; *p; p = end + 1) {
        end = strchr(p, '\n');
        assert_non_null(end);
        assert_true(end - p <= 100);
    }
    /* No arguments at all, and a list without even a program name. */
    refused("", "-machine");
    char *none[] = {NULL};
    config_free(&config);
    assert_false(config_from_libxl(&config, 0, none, &err));
}

int main(void)
{
    config.incoming_fd = -1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minimal),     cmocka_unit_test(test_vnc),
        cmocka_unit_test(test_no_screen),   cmocka_unit_test(test_window),
        cmocka_unit_test(test_serial),      cmocka_unit_test(test_refused_devices),
        cmocka_unit_test(test_misc),        cmocka_unit_test(test_traditional),
        cmocka_unit_test(test_confinement), cmocka_unit_test(test_monitors),
        cmocka_unit_test(test_descriptors), cmocka_unit_test(test_probe),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
