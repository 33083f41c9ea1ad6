/* The embedded next hop (T4): what is in the file, where it is, and what is answered when it can't
 * be. */
#include "relay/scene.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char where[] = "/tmp/test_maildir.XXXXXX";

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int make_place(void **state)
{
	(void)state;
	memcpy(where + strlen(where) - 6, "XXXXXX", 6);
	return mkdtemp(where) == NULL;
}

static int clear_place(void **state)
{
	(void)state;
	return nftw(where, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* How many files a folder holds, and the name of the last. */
static unsigned folder(const char *below, char name[256])
{
	char path[512];
	unsigned count = 0;
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof path, "%s/mail/%s", where, below);
	dir = opendir(path);
	if (dir == NULL)
		return 0;
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		count++;
		snprintf(name, 256, "%s", e->d_name);
	}
	closedir(dir);
	return count;
}

static void read_file(const char *name, struct buf *out)
{
	char path[1024], bytes[4096];
	size_t n;
	FILE *in;

	snprintf(path, sizeof path, "%s/mail/new/%s", where, name);
	in = fopen(path, "rb");
	assert_non_null(in);
	while ((n = fread(bytes, 1, sizeof bytes, in)) > 0)
		assert_true(buf_add(out, bytes, n));
	fclose(in);
}

static void maildir_scene(struct scene *s)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/mail", where);
	scene_open(s, NULL);
	s->hop = (struct hop){ .kind = HOP_MAILDIR, .name = path };
	scene_relay(s);
}

/* MAIL and two RCPTs, then the message. */
static unsigned deliver(struct scene *s, const char *from, struct message *m)
{
	struct mail_command mail = mail_from(from);
	struct path one = path_to("b@example.org"), two = path_to("\"c d\"@example.org");

	assert_int_equal(scene_answer(s, relay_mail(s->relay, &mail)), 250);
	assert_int_equal(scene_answer(s, relay_rcpt(s->relay, &one)), 250);
	assert_int_equal(scene_answer(s, relay_rcpt(s->relay, &two)), 250);
	return scene_answer(s, relay_message(s->relay, m));
}

static const struct delivery_case {
	const char *name, *from, *content, *want_file;
} delivery_cases[] = {
	{ "T4: plain", "a@example.net", "Subject: x\r\n\r\nText\r\n",
	  "Return-Path: <a@example.net>\nDelivered-To: b@example.org\n"
	  "Delivered-To: \"c d\"@example.org\nSubject: x\n\nText\n" },
	{ "T4: null sender", "", "\r\n",
	  "Return-Path: <>\nDelivered-To: b@example.org\nDelivered-To: \"c d\"@example.org\n\n" },
	{ "dots are not stuffed", "", ".\r\n..\r\n.a\r\n",
	  "Return-Path: <>\nDelivered-To: b@example.org\nDelivered-To: \"c d\"@example.org\n.\n..\n.a\n" },
	{ "empty message", "", "",
	  "Return-Path: <>\nDelivered-To: b@example.org\nDelivered-To: \"c d\"@example.org\n" },
	{ "a lone CR at the end stays", "", "x\r",
	  "Return-Path: <>\nDelivered-To: b@example.org\nDelivered-To: \"c d\"@example.org\nx\r" },
	{ "CR CR LF loses one", "", "x\r\r\ny\rz\r\n",
	  "Return-Path: <>\nDelivered-To: b@example.org\nDelivered-To: \"c d\"@example.org\nx\r\ny\rz\n" },
};

static void test_delivery(void **state)
{
	for (size_t i = 0; i < sizeof delivery_cases / sizeof delivery_cases[0]; i++) {
		const struct delivery_case *c = &delivery_cases[i];

		/* In memory, and from a file. */
		for (size_t memory = 0; memory <= 1000; memory += 1000) {
			struct buf file = { 0 };
			char name[256], size[32];
			struct message *m;
			struct stat st;
			struct scene s;

			print_message("%s (%zu octets of memory)\n", c->name, memory);
			make_place(state);
			maildir_scene(&s);
			m = scene_message(&s, slice_of(c->content), memory);
			assert_int_equal(deliver(&s, c->from, m), 250);
			assert_int_equal(folder("tmp", name), 0);
			assert_int_equal(folder("new", name), 1);
			read_file(name, &file);
			assert_string_equal(buf_text(&file), c->want_file);
			snprintf(size, sizeof size, ".edge.example,S=%zu", file.len);
			assert_non_null(strstr(name, size));
			assert_int_equal(stat(s.hop.name, &st), 0);
			assert_int_equal(st.st_mode & 0777, 0700);
			buf_free(&file);
			message_unref(m);
			scene_close(&s);
			clear_place(state);
		}
	}
}

static void test_many_and_big(void **state)
{
	struct buf content = { 0 }, file = { 0 };
	struct message *m;
	struct scene s;
	char name[256];

	(void)state;
	for (int i = 0; i < 40000; i++)
		assert_true(buf_printf(&content, "%d line\r\n", i));
	maildir_scene(&s);
	m = scene_message(&s, buf_slice(&content), 1000);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(deliver(&s, "a@b", m), 250);
		scene_again(&s);
	}
	assert_int_equal(folder("new", name), 20);
	read_file(name, &file);
	assert_int_equal(file.len, content.len - 40000 + strlen("Return-Path: <a@b>\nDelivered-To: "
			 "b@example.org\nDelivered-To: \"c d\"@example.org\n"));
	buf_free(&content);
	buf_free(&file);
	message_unref(m);
	scene_close(&s);
}

static void test_full_disk(void **state)
{
	struct buf content = { 0 };
	struct message *m;
	struct scene s;
	char name[256];

	(void)state;
	if (mount("none", where, "tmpfs", 0, "size=256k,mode=700") != 0)
		skip(); /* only root can have a disk so small */
	for (int i = 0; i < 100000; i++)
		assert_true(buf_printf(&content, "%d line\r\n", i));
	maildir_scene(&s);
	m = scene_message(&s, buf_slice(&content), 1000);
	assert_int_equal(deliver(&s, "a@b", m), 452);
	assert_string_equal(s.reply.text, "4.3.1 Mail system full");
	assert_int_equal(folder("new", name), 0);
	assert_int_equal(folder("tmp", name), 0);
	message_unref(m);
	m = scene_message(&s, SLICE("short\r\n"), 1000);
	assert_int_equal(deliver(&s, "a@b", m), 250);
	buf_free(&content);
	message_unref(m);
	scene_close(&s);
	assert_int_equal(umount(where), 0);
}

static void test_file_too_big(void **state)
{
	struct rlimit was, small = { 100000, RLIM_INFINITY };
	struct buf content = { 0 };
	struct message *m;
	struct scene s;
	char name[256];

	(void)state;
	for (int i = 0; i < 20000; i++)
		assert_true(buf_printf(&content, "%d line\r\n", i));
	maildir_scene(&s);
	m = scene_message(&s, buf_slice(&content), 1000000);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(deliver(&s, "a@b", m), 452);
	assert_string_equal(s.reply.text, "4.3.1 Mail system full");
	setrlimit(RLIMIT_FSIZE, &was);
	assert_int_equal(folder("new", name), 0);
	assert_int_equal(folder("tmp", name), 0);
	assert_int_equal(deliver(&s, "a@b", m), 250);
	buf_free(&content);
	message_unref(m);
	scene_close(&s);
}

/* A file stands where the Maildir should be, or its parent is missing. */
static void test_no_place(void **state)
{
	const char *const bad[] = { "/dev/null/mail", "/nonexistent/deep/mail", "/proc/mail" };
	struct mail_command mail = mail_from("a@b");

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct message *m;
		struct scene s;

		scene_open(&s, NULL);
		s.hop = (struct hop){ .kind = HOP_MAILDIR, .name = (char *)bad[i] };
		scene_relay(&s);
		m = scene_message(&s, SLICE("x\r\n"), 1000);
		assert_int_equal(scene_answer(&s, relay_mail(s.relay, &mail)), 250);
		assert_int_equal(scene_answer(&s, relay_message(s.relay, m)), 451);
		message_unref(m);
		scene_close(&s);
	}
}

/* T4: what is missing is made, also when it was there before. */
static void test_made_again(void **state)
{
	const char *const missing[] = { "tmp", "new", "cur" };
	struct message *m;
	struct scene s;
	char name[256], path[512], old[1024];

	(void)state;
	maildir_scene(&s);
	m = scene_message(&s, SLICE("x\r\n"), 1000);
	for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
		assert_int_equal(deliver(&s, "a@b", m), 250);
		assert_int_equal(folder("new", name), 1);
		snprintf(old, sizeof old, "%s/new/%s", s.hop.name, name);
		assert_int_equal(unlink(old), 0);
		snprintf(path, sizeof path, "%s/%s", s.hop.name, missing[i]);
		assert_int_equal(rmdir(path), 0);
	}
	assert_int_equal(deliver(&s, "a@b", m), 250);
	assert_int_equal(folder("new", name), 1);
	message_unref(m);
	scene_close(&s);
}

/* The client hangs up while the disk works. */
static void test_free_while_delivering(void **state)
{
	struct mail_command mail = mail_from("a@b");
	struct message *m;
	struct scene s;
	char name[256];

	(void)state;
	maildir_scene(&s);
	m = scene_message(&s, SLICE("x\r\n"), 1000);
	scene_answer(&s, relay_mail(s.relay, &mail));
	assert_int_equal(relay_message(s.relay, m), RELAY_WAIT);
	message_unref(m);
	relay_free(s.relay);
	s.relay = NULL;
	while (folder("new", name) == 0)
		usleep(100);
	scene_close(&s);
	assert_int_equal(s.said, 0);
	assert_int_equal(folder("tmp", name), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delivery),
		cmocka_unit_test_setup_teardown(test_many_and_big, make_place, clear_place),
		cmocka_unit_test_setup_teardown(test_full_disk, make_place, clear_place),
		cmocka_unit_test_setup_teardown(test_file_too_big, make_place, clear_place),
		cmocka_unit_test(test_no_place),
		cmocka_unit_test_setup_teardown(test_made_again, make_place, clear_place),
		cmocka_unit_test_setup_teardown(test_free_while_delivering, make_place,
						clear_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
