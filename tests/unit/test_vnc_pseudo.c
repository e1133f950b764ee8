/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnc: what is told beside the picture (pseudo-encodings, events), and who may only look. */
#include "tests/unit/vnc_rig.h"

#define SIZE_ENCODING  0xFFFFFECCu
#define RICH_CURSOR    0xFFFFFF11u
#define X_CURSOR       0xFFFFFF10u
#define QEMU_LEDS      0xFFFFFEFBu
#define VMWARE_LEDS    0x574D5668u
#define NAME           0xFFFFFECDu
#define QEMU_KEYS      0xFFFFFEFEu
#define POINTER_MOTION 0xFFFFFEFFu

struct rect {
    unsigned x, y, width, height;
    uint32_t encoding;
};

static void put_encodings(int fd, unsigned count, const uint32_t *encodings)
{
    PUT(fd, 2, 0, (uint8_t)(count >> 8), (uint8_t)count);
    for (unsigned i = 0; i < count; i++)
        PUT(fd, (uint8_t)(encodings[i] >> 24), (uint8_t)(encodings[i] >> 16),
            (uint8_t)(encodings[i] >> 8), (uint8_t)encodings[i]);
}

#define ENCODINGS(fd, ...)                                                         \
    do {                                                                           \
        const uint32_t encodings_[] = {__VA_ARGS__};                               \
        put_encodings(fd, sizeof(encodings_) / sizeof(encodings_[0]), encodings_); \
    } while (0)

/* The header of an update with one rectangle. */
static struct rect get_rect(int fd)
{
    struct rect r;

    assert_int_equal(get_u8(fd), 0);
    get_u8(fd);
    assert_int_equal(get_be16(fd), 1);
    r.x = get_be16(fd);
    r.y = get_be16(fd);
    r.width = get_be16(fd);
    r.height = get_be16(fd);
    r.encoding = get_be32(fd);
    return r;
}

static void expect_rect(int fd, struct rect wanted)
{
    struct rect r = get_rect(fd);

    assert_int_equal(r.encoding, wanted.encoding);
    assert_int_equal(r.x, wanted.x);
    assert_int_equal(r.y, wanted.y);
    assert_int_equal(r.width, wanted.width);
    assert_int_equal(r.height, wanted.height);
}

static void expect_one_screen(int fd, unsigned width, unsigned height)
{
    assert_int_equal(get_be32(fd), 0x01000000); /* one, and three bytes of nothing */
    assert_int_equal(get_be32(fd), 1);          /* its id */
    assert_int_equal(get_be32(fd), 0);          /* at 0, 0 */
    assert_int_equal(get_be16(fd), width);
    assert_int_equal(get_be16(fd), height);
    assert_int_equal(get_be32(fd), 0);
}

static void resize(void *arg)
{
    struct rig *rig = arg;

    rig->scene.width = 800;
    rig->scene.height = 600;
    rig->scene.seed++;
}

static void test_sizes(void **state)
{
    static const uint8_t want_size[24] = {251, 0, 4, 0, 3, 0, 1};
    struct rig *rig = rig_new();
    uint32_t *pixels = calloc(800 * 600, 4);
    int fd = raw_viewer(rig);

    (void)state;
    ENCODINGS(fd, 0, SIZE_ENCODING, rfbEncodingNewFBSize);
    expect_rect(fd, (struct rect){0, 0, 640, 480, SIZE_ENCODING});
    expect_one_screen(fd, 640, 480);
    /* The size is the guest's: to this viewer's request, prohibited. */
    put(fd, want_size, sizeof(want_size));
    expect_rect(fd, (struct rect){1, 1, 640, 480, SIZE_ENCODING});
    expect_one_screen(fd, 640, 480);
    PUT(fd, 251, 0, 4, 0, 3, 0, 0, 0); /* no screens at all */
    expect_rect(fd, (struct rect){1, 1, 640, 480, SIZE_ENCODING});
    expect_one_screen(fd, 640, 480);
    put_request(fd, false, 640, 480);
    assert_int_equal(get_update(fd, pixels, 640, 480), 640 * 480);
    /* The guest's: told before the pixels, once, and not by the older encoding too. */
    on_loop(rig, resize, rig);
    put_request(fd, true, 640, 480);
    expect_rect(fd, (struct rect){0, 0, 800, 600, SIZE_ENCODING});
    expect_one_screen(fd, 800, 600);
    get_update(fd, pixels, 800, 600);
    put_request(fd, false, 800, 600);
    assert_int_equal(get_update(fd, pixels, 800, 600), 800 * 600);
    assert_picture(pixels, 2, 800, 600);
    PUT(fd, 251, 0, 4, 0, 3, 0, 17, 0); /* more screens than anybody has */
    expect_close(fd);
    free(pixels);
    rig_free(rig);
}

/* A shape without pixels: the guest's pointer is in the picture, a second one would only confuse.
 */
static void test_cursor(void **state)
{
    struct rig *rig = rig_new();
    int fd = raw_viewer(rig);

    (void)state;
    ENCODINGS(fd, 0, X_CURSOR, RICH_CURSOR);
    expect_rect(fd, (struct rect){0, 0, 0, 0, RICH_CURSOR});
    ENCODINGS(fd, 0, X_CURSOR, RICH_CURSOR, QEMU_KEYS); /* not again */
    expect_rect(fd, (struct rect){0, 0, 0, 0, QEMU_KEYS});
    close(fd);
    fd = raw_viewer(rig);
    ENCODINGS(fd, X_CURSOR);
    expect_rect(fd, (struct rect){0, 0, 0, 0, X_CURSOR});
    close(fd);
    rig_free(rig);
}

static void test_name(void **state)
{
    struct rig *rig = rig_new();
    int fd = raw_viewer(rig);
    char name[14];

    (void)state;
    ENCODINGS(fd, NAME);
    expect_rect(fd, (struct rect){0, 0, 0, 0, NAME});
    assert_int_equal(get_be32(fd), sizeof(name));
    get(fd, name, sizeof(name));
    assert_memory_equal(name, "hvm-dm (guest)", sizeof(name));
    close(fd);
    rig_free(rig);
}

static void set_leds(void *arg)
{
    struct rig *rig = ((void **)arg)[0];

    input_set_leds(rig->input, *(unsigned *)((void **)arg)[1]);
}

static void test_leds(void **state)
{
    struct rig *rig = rig_new();
    unsigned leds = 4;
    int qemu, vmware;

    (void)state;
    on_loop(rig, set_leds, (void *[]){rig, &leds});
    qemu = raw_viewer(rig);
    ENCODINGS(qemu, QEMU_LEDS, VMWARE_LEDS);
    expect_rect(qemu, (struct rect){0, 0, 0, 0, QEMU_LEDS});
    assert_int_equal(get_u8(qemu), 4);
    vmware = raw_viewer(rig);
    ENCODINGS(vmware, VMWARE_LEDS);
    expect_rect(vmware, (struct rect){0, 0, 0, 0, VMWARE_LEDS});
    assert_int_equal(get_be32(vmware), 4);
    /* The guest turns another one on: both hear it, though neither does anything. */
    leds = 3;
    on_loop(rig, set_leds, (void *[]){rig, &leds});
    expect_rect(qemu, (struct rect){0, 0, 0, 0, QEMU_LEDS});
    assert_int_equal(get_u8(qemu), 3);
    expect_rect(vmware, (struct rect){0, 0, 0, 0, VMWARE_LEDS});
    assert_int_equal(get_be32(vmware), 3);
    close(qemu);
    close(vmware);
    rig_free(rig);
}

static void use_mouse(void *arg)
{
    struct rig *rig = ((void **)arg)[0];

    input_set_pointer(rig->input, ((void **)arg)[1]);
}

/* The guest has a mouse and no tablet: a viewer that can gives movements, from then on. */
static void test_movements(void **state)
{
    struct rig *rig = rig_new();
    const struct input_pointer mouse = {.move = record_move, .opaque = rig};
    int fd = raw_viewer(rig);

    (void)state;
    ENCODINGS(fd, POINTER_MOTION);
    expect_rect(fd, (struct rect){1, 0, 640, 480, POINTER_MOTION});
    PUT(fd, 5, 0, 0, 10, 0, 20);
    eventually(move_count(rig) == 1);
    on_loop(rig, use_mouse, (void *[]){rig, (void *)(uintptr_t)&mouse});
    expect_rect(fd, (struct rect){0, 0, 640, 480, POINTER_MOTION});
    PUT(fd, 5, 1, 0x80, 0x02, 0x7F, 0xFC);
    eventually(move_count(rig) == 2);
    assert_int_equal(rig->moves[1].x, 3);
    assert_int_equal(rig->moves[1].y, -3);
    assert_int_equal(rig->moves[1].buttons, INPUT_BUTTON_LEFT);
    close(fd); /* with the button down: it is released, and the pointer stays */
    eventually(move_count(rig) == 3);
    assert_int_equal(rig->moves[2].x, 0);
    assert_int_equal(rig->moves[2].y, 0);
    assert_int_equal(rig->moves[2].buttons, 0);
    on_loop(rig, use_mouse, (void *[]){rig, NULL});
    rig_free(rig);
}

static void paint_one(void *opaque, struct display *display, bool full)
{
    struct rig *rig = opaque;
    const struct surface *s = display_surface(display);

    display_resize(display, 640, 480);
    if (full)
        paint(display, 1);
    rig->scene.seed++;
    s->pixels[100 * 640 + 100] = rig->scene.seed; /* one pixel, and says it is all of it */
    display_damage(display, 0, 0, 640, 480);
}

static void use_one(void *arg)
{
    struct rig *rig = arg;
    static const struct display_source source = {paint_one, NULL};

    display_set_source(rig->display, &source, rig);
}

/* What is sent is what changed, not what the chip thinks may have. */
static void test_only_what_changed(void **state)
{
    struct rig *rig = rig_new();
    uint32_t *pixels = calloc(640 * 480, 4);
    int fd = raw_viewer(rig);

    (void)state;
    on_loop(rig, use_one, rig);
    put_request(fd, false, 640, 480);
    get_update(fd, pixels, 640, 480);
    for (int i = 0; i < 3; i++) {
        put_request(fd, true, 640, 480);
        assert_in_range(get_update(fd, pixels, 640, 480), 1, 64 * 64);
    }
    close(fd);
    free(pixels);
    rig_free(rig);
}

static void test_view_only(void **state)
{
    struct rig *rig = rig_prepare();
    int looks, types;

    (void)state;
    rig->config.password = true;
    rig_open(rig);
    on_loop(rig, set_view_password, (void *[]){rig, "look"});
    assert_int_equal(try_password(rig, "", "RFB 003.008\n", &looks), 1);
    expect_close(looks);
    on_loop(rig, set_password, (void *[]){rig, "type"});
    assert_int_equal(try_password(rig, "look", "RFB 003.008\n", &looks), 0);
    PUT(looks, 1);
    get_server_init(looks, 640, 480);
    assert_int_equal(try_password(rig, "type", "RFB 003.008\n", &types), 0);
    PUT(types, 1);
    get_server_init(types, 640, 480);
    put_stroke(looks, 'x');
    PUT(looks, 5, 1, 0, 10, 0, 10);
    ENCODINGS(looks, NAME); /* answered: what was before it has been read */
    get_rect(looks);
    put_stroke(types, 'a');
    KEYS(rig, 0, KEY_A, -KEY_A);
    assert_int_equal(move_count(rig), 0);
    /* The same password for both is the one that types. */
    on_loop(rig, set_view_password, (void *[]){rig, "type"});
    close(types);
    assert_int_equal(try_password(rig, "type", "RFB 003.008\n", &types), 0);
    PUT(types, 1);
    get_server_init(types, 640, 480);
    put_stroke(types, 'b');
    KEYS(rig, 2, KEY_B, -KEY_B);
    close(types);
    close(looks);
    rig_free(rig);
}

static void test_expiry(void **state)
{
    struct rig *rig = rig_prepare();
    time_t past = time(NULL) - 1, future = time(NULL) + 3600, never = VNC_NEVER;
    int fd;

    (void)state;
    rig->config.password = true;
    rig_open(rig);
    on_loop(rig, set_password, (void *[]){rig, "secret"});
    on_loop(rig, expire_password, (void *[]){rig, &future});
    assert_int_equal(try_password(rig, "secret", "RFB 003.008\n", &fd), 0);
    close(fd);
    on_loop(rig, expire_password, (void *[]){rig, &past});
    assert_int_equal(try_password(rig, "secret", "RFB 003.008\n", &fd), 1);
    expect_close(fd);
    on_loop(rig, set_password, (void *[]){rig, "secret"}); /* a new one does not give more time */
    assert_int_equal(try_password(rig, "secret", "RFB 003.008\n", &fd), 1);
    expect_close(fd);
    on_loop(rig, expire_password, (void *[]){rig, &never});
    assert_int_equal(try_password(rig, "secret", "RFB 003.008\n", &fd), 0);
    close(fd);
    rig_free(rig);
}

static unsigned changes(struct rig *rig, enum vnc_change change)
{
    connection_count(rig); /* a turn of the loop */
    return __atomic_load_n(&rig->changes[change], __ATOMIC_SEQ_CST);
}

static void test_events(void **state)
{
    struct rig *rig = rig_new();
    int fd = connect_to(rig);

    (void)state;
    eventually(changes(rig, VNC_CONNECTED) == 1);
    assert_int_equal(changes(rig, VNC_INITIALIZED), 0);
    close(fd);
    eventually(changes(rig, VNC_DISCONNECTED) == 1);
    fd = raw_viewer(rig);
    eventually(changes(rig, VNC_INITIALIZED) == 1);
    close(fd);
    eventually(changes(rig, VNC_DISCONNECTED) == 2);
    assert_int_equal(changes(rig, VNC_CONNECTED), 2);
    rig_free(rig);
}

/* Every encoding that is passed on gives a picture that ends where it should. */
static void test_encodings_beside_raw(void **state)
{
    static const uint32_t encodings[] = {2, 4, 5, 6, 7, 9, 16, 17};
    struct rig *rig = rig_new();

    (void)state;
    for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
        int fd = raw_viewer(rig);
        struct rect r = {0};
        unsigned rects;

        ENCODINGS(fd, encodings[i], 0);
        put_request(fd, false, 640, 480);
        assert_int_equal(get_u8(fd), 0);
        get_u8(fd);
        rects = get_be16(fd);
        assert_true(rects > 0);
        r.x = get_be16(fd);
        r.y = get_be16(fd);
        r.width = get_be16(fd);
        r.height = get_be16(fd);
        assert_true(r.x + r.width <= 640 && r.y + r.height <= 480);
        r.encoding = get_be32(fd);
        /* What it does not compress it sends raw. */
        assert_true(r.encoding == encodings[i] || r.encoding == 0);
        close(fd);
    }
    rig_free(rig);
}

static void test_inherited_socket(void **state)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct rig *rig = rig_prepare();
    struct vnc_listen listen_to;
    struct err err = {.text = ""};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    struct config_vnc config = {.enabled = true, .have_fd = true, .fd = fd};
    assert_false(vnc_listen_open(&listen_to, &config, &err)); /* it does not listen */
    assert_non_null(strstr(err.text, "fd:"));
    assert_int_equal(listen(fd, 5), 0);
    rig->config.have_fd = true;
    rig->config.fd = fd;
    rig_open(rig);
    assert_true(rig->port > 0);
    close(raw_viewer(rig));
    rig_free(rig);
    config.fd = 0x7FFF;
    assert_false(vnc_listen_open(&listen_to, &config, &err));
}

static void test_one_family(void **state)
{
    struct config_vnc config = {.enabled = true, .host = "", .display = 100, .to = 400};
    struct vnc_listen listen_to;
    struct err err = {.text = ""};

    (void)state;
    config.family = AF_INET;
    assert_true(vnc_listen_open(&listen_to, &config, &err));
    assert_int_equal(listen_to.count, 1);
    assert_string_equal(listen_to.address.family, "ipv4");
    assert_false(vnc_listen_is_local(&listen_to));
    vnc_listen_close(&listen_to);
    config.host = "::1";
    assert_false(vnc_listen_open(&listen_to, &config, &err));
    assert_non_null(strstr(err.text, "::1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_leds),
        cmocka_unit_test(test_movements),
        cmocka_unit_test(test_only_what_changed),
        cmocka_unit_test(test_view_only),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_encodings_beside_raw),
        cmocka_unit_test(test_inherited_socket),
        cmocka_unit_test(test_one_family),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
