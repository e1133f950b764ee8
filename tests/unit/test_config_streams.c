/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_config_streams: who shares which stream, what there is by default, and all back-ends. */
#include "tests/unit/config_rig.h"

static void back_ends(void **state)
{
    (void)state;
    accepted(BASE "-serial vc -serial vc:100Cx30C -serial vc:800x600 -parallel vc");
    assert_int_equal(config.serial[0].kind, CHARDEV_VC);
    assert_int_equal(config.serial[0].cols, 0);
    assert_int_equal(config.serial[1].cols, 100);
    assert_int_equal(config.serial[1].rows, 30);
    assert_int_equal(config.serial[2].cols, 100);
    assert_int_equal(config.serial[2].rows, 37);
    assert_int_equal(config.parallel.kind, CHARDEV_VC);
    refused(BASE "-serial vc:", "-serial vc:|80Cx24C");
    refused(BASE "-serial vc:80x", "-serial vc:80x|80Cx24C");
    refused(BASE "-serial vc:80Cx24Cx", "80Cx24C");
    refused(BASE "-serial vc:9999Cx24C", "-serial|columns");
    refused(BASE "-serial vc:80Cx1C", "-serial|lines");
    accepted(BASE "-chardev vc,id=a,cols=90,rows=20 -serial chardev:a "
                  "-chardev vc,id=b,width=640,height=384 -serial chardev:b");
    assert_int_equal(config.serial[0].cols, 90);
    assert_int_equal(config.serial[1].cols, 80);
    assert_int_equal(config.serial[1].rows, 24);
    refused(BASE "-chardev vc,id=a,cols=3", "-chardev|cols=");

    accepted(BASE "-serial pipe:/tmp/p -chardev pipe,id=a,path=/q -serial chardev:a");
    assert_int_equal(config.serial[0].kind, CHARDEV_PIPE);
    assert_string_equal(config.serial[0].path, "/tmp/p");
    assert_int_equal(config.serial[1].kind, CHARDEV_PIPE);
    assert_string_equal(config.serial[1].path, "/q");
    refused(BASE "-serial pipe:", "-serial pipe:|missing");
    refused(BASE "-chardev pipe,id=a", "-chardev|path=");

    accepted(BASE "-serial telnet:0:4444,server,nowait -serial tcp:h:1,telnet=on,reconnect=5 "
                  "-serial unix:/u,telnet,server=on");
    assert_true(config.serial[0].telnet && config.serial[0].server && !config.serial[0].wait);
    assert_int_equal(config.serial[0].kind, CHARDEV_TCP);
    assert_true(config.serial[1].telnet);
    assert_int_equal(config.serial[1].reconnect, 5);
    assert_true(config.serial[2].telnet);
    refused(BASE "-serial tcp:h:1,server,reconnect=5", "-serial|reconnect=");
    refused(BASE "-serial tcp:h:1,reconnect=x", "-serial|reconnect=");
    refused(BASE "-serial telnet:h", "-serial|HOST:PORT");

    accepted(BASE "-chardev file,id=a,path=/f,append=on,logsize=1M -serial chardev:a");
    assert_true(config.serial[0].limit == 1 << 20);
    refused(BASE "-chardev file,id=a,path=/f,logsize=0 -serial chardev:a", "-chardev|logsize=0");
    refused(BASE "-chardev file,id=a,path=/f,logsize=x -serial chardev:a", "-chardev|logsize=x");
    accepted(BASE "-chardev stdio,id=a,signal=off -serial chardev:a");
    assert_true(config.serial[0].raw);
    accepted(BASE "-serial stdio");
    assert_false(config.serial[0].raw);
}

static void shared(void **state)
{
    (void)state;
    accepted(BASE "-chardev stdio,id=s,mux=on -serial chardev:s -mon chardev=s,mode=readline "
                  "-parallel chardev:s -monitor chardev:s");
    assert_int_equal(config.mux_count, 1);
    assert_string_equal(config.muxes[0].id, "s");
    assert_int_equal(config.muxes[0].chardev.kind, CHARDEV_STDIO);
    assert_int_equal(config.serial[0].kind, CHARDEV_MUX);
    assert_int_equal(config.serial[0].mux, 0);
    assert_int_equal(config.parallel.kind, CHARDEV_MUX);
    assert_int_equal(config.hmp_count, 2);
    assert_int_equal(config.hmps[1].chardev.kind, CHARDEV_MUX);
    assert_int_equal(config.mux_escape, 1);
    refused(BASE "-chardev pty,id=s,mux=on -serial chardev:s -serial chardev:s -serial chardev:s "
                 "-serial chardev:s -parallel chardev:s",
            "-chardev s|4");
    refused(BASE "-chardev pty,id=s -serial chardev:s -mon s", "-monitor|used already|mux=on");
    refused(BASE "-chardev socket,id=s,path=/s,server,nowait,mux=on -mon s,mode=control "
                 "-serial chardev:s",
            "-mon|QMP");

    accepted(BASE "-serial mon:stdio -serial mon:unix:/u,server,nowait -echr 0x14");
    assert_int_equal(config.mux_count, 2);
    assert_int_equal(config.muxes[0].chardev.kind, CHARDEV_STDIO);
    assert_true(config.muxes[0].chardev.raw); /* Ctrl+C is the guest's */
    assert_int_equal(config.muxes[1].chardev.kind, CHARDEV_UNIX);
    assert_int_equal(config.serial[1].mux, 1);
    assert_int_equal(config.hmps[1].chardev.mux, 1);
    assert_int_equal(config.mux_escape, 20);
    refused(BASE "-serial mon:nope", "-serial nope");
    refused(BASE "-echr 65", "-echr|65");
    refused(BASE "-serial stdio -monitor stdio", "stdio|mon:stdio");
    refused(BASE "-serial mon:stdio -chardev stdio,id=a -serial chardev:a", "stdio|mux=on");
}

static void monitors(void **state)
{
    (void)state;
    accepted(BASE "-monitor vc -monitor unix:/m,server,nowait");
    assert_int_equal(config.hmp_count, 2);
    assert_int_equal(config.hmps[0].chardev.kind, CHARDEV_VC);
    assert_false(config.hmps[0].privileged);
    assert_string_equal(config.hmps[1].chardev.path, "/m");
    accepted(BASE "-monitor none -monitor null -monitor /dev/null");
    assert_int_equal(config.hmp_count, 0);
    accepted(BASE "-chardev pty,id=m -mon m,mode=readline,privileged=on");
    assert_int_equal(config.hmps[0].chardev.kind, CHARDEV_PTY);
    assert_true(config.hmps[0].privileged);
    assert_int_equal(config.monitor_count, 0);
    refused(BASE "-mon chardev=nope", "-monitor|nope");
    refused(BASE "-chardev pty,id=m -mon m,mode=control,privileged=on", "-mon|privileged");
    refused(BASE "-monitor pty -monitor pty -monitor pty -monitor pty -monitor pty",
            "-monitor|4 monitors");
}

static void isa_devices(void **state)
{
    (void)state;
    accepted(BASE "-chardev pty,id=a -device isa-serial,chardev=a,id=x");
    assert_int_equal(config.serial_count, 1);
    assert_int_equal(config.serial[0].kind, CHARDEV_PTY);
    accepted(BASE "-chardev pty,id=a -device isa-serial,chardev=a,index=2 -chardev null,id=b "
                  "-device isa-serial,chardev=b -chardev vc,id=c -device isa-serial,chardev=c,irq=3"
                  ",iobase=0x2f8");
    assert_int_equal(config.serial_count, 3);
    assert_false(config.serial_absent[0] || config.serial_absent[1] || config.serial_absent[2]);
    assert_int_equal(config.serial[0].kind, CHARDEV_NULL);
    assert_int_equal(config.serial[1].kind, CHARDEV_VC);
    assert_int_equal(config.serial[2].kind, CHARDEV_PTY);
    accepted(BASE "-serial stdio -chardev pty,id=a -device isa-serial,chardev=a,index=3");
    assert_int_equal(config.serial_count, 4);
    assert_true(config.serial_absent[1] && config.serial_absent[2]);
    assert_int_equal(config.serial[3].kind, CHARDEV_PTY);
    refused(BASE "-serial null -chardev pty,id=a -device isa-serial,chardev=a,index=0",
            "isa-serial|COM1");
    refused(BASE "-serial none -chardev pty,id=a -device isa-serial,chardev=a,index=0",
            "isa-serial|COM1");
    refused(BASE "-device isa-serial", "-device|chardev=");
    refused(BASE "-device isa-serial,chardev=a", "a");
    refused(BASE "-chardev pty,id=a -device isa-serial,chardev=a,iobase=0x100", "iobase=");
    refused(BASE "-chardev pty,id=a -device isa-serial,chardev=a,irq=9", "irq=");
    refused(BASE "-chardev pty,id=a -device isa-serial,chardev=a,index=4", "index=");
    accepted(BASE "-chardev pty,id=a -device isa-parallel,chardev=a,iobase=0x378");
    assert_true(config.have_parallel);
    assert_int_equal(config.parallel.kind, CHARDEV_PTY);
    refused(BASE "-parallel null -chardev pty,id=a -device isa-parallel,chardev=a", "one parallel");
}

#define SCREEN "-vnc 127.0.0.1:0 "

/* qemu(1): consoles beside a screen, -nographic on standard input and output. */
static void defaults(void **state)
{
    (void)state;
    accepted(BASE);
    assert_int_equal(config.serial_count + config.hmp_count + config.have_parallel, 0);
    accepted(BASE SCREEN);
    assert_int_equal(config.serial[0].kind, CHARDEV_VC);
    assert_int_equal(config.parallel.kind, CHARDEV_VC);
    assert_int_equal(config.hmps[0].chardev.kind, CHARDEV_VC);
    assert_int_equal(config.serial_count, 1);
    assert_int_equal(config.hmp_count, 1);
    accepted(BASE SCREEN "-serial pty -parallel none -monitor none");
    assert_int_equal(config.serial[0].kind, CHARDEV_PTY);
    assert_int_equal(config.serial_count, 1);
    assert_int_equal(config.hmp_count, 0);
    assert_false(config.have_parallel);
    accepted(BASE SCREEN "-nodefaults"); /* what libxl says */
    assert_int_equal(config.serial_count + config.hmp_count + config.have_parallel, 0);

    accepted(BASE "-nographic");
    assert_int_equal(config.serial[0].kind, CHARDEV_MUX);
    assert_int_equal(config.hmps[0].chardev.kind, CHARDEV_MUX);
    assert_int_equal(config.muxes[0].chardev.kind, CHARDEV_STDIO);
    assert_int_equal(config.parallel.kind, CHARDEV_NULL);
    accepted(BASE "-nographic -serial pty");
    assert_int_equal(config.serial[0].kind, CHARDEV_PTY);
    assert_int_equal(config.hmps[0].chardev.kind, CHARDEV_STDIO);
    accepted(BASE "-nographic -monitor none");
    assert_int_equal(config.serial[0].kind, CHARDEV_STDIO);
    assert_int_equal(config.hmp_count, 0);
    accepted(BASE "-nographic -nodefaults");
    assert_int_equal(config.serial_count + config.hmp_count + config.have_parallel, 0);
    refused(BASE "-nographic -serial stdio", "stdio");
}

static void test_udp_and_logs(void **state)
{
    (void)state;
    accepted(BASE
             "-serial udp:10.0.0.1:4555@127.0.0.1:4556 -serial udp::9 "
             "-chardev udp,id=u,host=h,port=1,localaddr=::1,localport=2,logfile=/l,logappend=on "
             "-serial chardev:u -serial unix:/u,server,nowait,logfile=/m");
    const struct chardev_config *c = &config.serial[0];
    assert_int_equal(c->kind, CHARDEV_UDP);
    assert_string_equal(c->host, "10.0.0.1");
    assert_string_equal(c->port, "4555");
    assert_string_equal(c->local_host, "127.0.0.1");
    assert_string_equal(c->local_port, "4556");
    assert_null(c->log);
    c = &config.serial[1];
    assert_string_equal(c->host, "");
    assert_string_equal(c->port, "9");
    assert_null(c->local_port);
    c = &config.serial[2];
    assert_int_equal(c->kind, CHARDEV_UDP);
    assert_string_equal(c->local_host, "::1");
    assert_string_equal(c->local_port, "2");
    assert_string_equal(c->log, "/l");
    assert_true(c->log_append);
    c = &config.serial[3];
    assert_int_equal(c->kind, CHARDEV_UNIX);
    assert_string_equal(c->log, "/m");
    assert_false(c->log_append);
    accepted(BASE "-chardev null,id=n,mux=on,logfile=/l -serial chardev:n");
    assert_string_equal(config.muxes[0].chardev.log, "/l");
    static const struct refusal refusals[] = {
        {"-serial udp:h", "-serial|HOST:PORT"},
        {"-serial udp:h:1@x", "-serial|HOST:PORT"},
        {"-chardev udp,id=u,host=h", "-chardev|port="},
        {"-chardev udp,id=u,port=1,path=/x", "-chardev|path="},
        {"-chardev null,id=u,logfile=", "logfile="},
        {"-chardev null,id=u,logappend=on", "logappend=on|logfile="},
        {"-chardev socket,id=q,path=/q,server=on,wait=off,logfile=/l -mon chardev=q,mode=control",
         "logfile=|QMP"},
    };
    REFUSED_ALL(refusals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(back_ends, teardown),
        cmocka_unit_test_teardown(shared, teardown),
        cmocka_unit_test_teardown(monitors, teardown),
        cmocka_unit_test_teardown(isa_devices, teardown),
        cmocka_unit_test_teardown(defaults, teardown),
        cmocka_unit_test_teardown(test_udp_and_logs, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
