/* Names looked up at a name server of our own, on the same loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/name_server.h"
#include "net/dns.h"

static const struct record zone[] = {
	{ "both.test", 0, "A 192.0.2.1;AAAA 2001:db8::1" },
	{ "two.test", 0, "A 192.0.2.1;A 192.0.2.2" },
	{ "many.test", 0,
	  "A 192.0.2.1;A 192.0.2.2;A 192.0.2.3;A 192.0.2.4;A 192.0.2.5;A 192.0.2.6;A 192.0.2.7;"
	  "A 192.0.2.8;A 192.0.2.9;A 192.0.2.10;A 192.0.2.11;A 192.0.2.12;A 192.0.2.13;"
	  "A 192.0.2.14;A 192.0.2.15;A 192.0.2.16;A 192.0.2.17;A 192.0.2.18" },
	{ "empty.test", 0, "" },
	{ "fails.test", ns_r_servfail, "" },
	{ "refuses.test", ns_r_refused, "" },
	{ "silent.test", -1, "" },
	{ "mail.test", 0, "MX 20 second.test;MX 10 first.test;MX 30 third.test" },
	{ "null.test", 0, "MX 0 ." },
	{ "crowd.test", 0,
	  "MX 9 a;MX 9 b;MX 9 c;MX 9 d;MX 9 e;MX 9 f;MX 9 g;MX 9 h;MX 9 i;MX 9 j;MX 9 k;MX 9 l;"
	  "MX 9 m;MX 9 n;MX 9 o;MX 9 p;MX 9 q;MX 9 r;MX 1 best" },
	{ NULL, 0, NULL },
};

struct scene {
	struct loop *loop;
	struct dns *dns;
	struct name_server server;
	struct timer guard;
	bool expired;

	unsigned said;
	enum dns_status status;
	char text[2000]; /* "a b c" */
};

static void guard_expired(void *arg)
{
	((struct scene *)arg)->expired = true;
}

static void scene_open(struct scene *s)
{
	memset(s, 0, sizeof *s);
	s->loop = loop_new();
	name_server_open(&s->server, s->loop, zone);
	s->dns = dns_new(s->loop, s->server.where);
	assert_non_null(s->dns);
	timer_init(&s->guard, s->loop, guard_expired, s);
	timer_set(&s->guard, 30000);
}

static void scene_close(struct scene *s)
{
	dns_free(s->dns);
	timer_stop(&s->guard);
	name_server_close(&s->server);
	event_base_loop(loop_base(s->loop), EVLOOP_NONBLOCK);
	loop_free(s->loop);
}

static void turn(struct scene *s)
{
	event_base_loop(loop_base(s->loop), EVLOOP_ONCE);
	assert_false(s->expired);
}

static void addrs_said(void *owner, enum dns_status status, const struct addr *addrs,
		       unsigned count)
{
	struct scene *s = owner;
	char one[ADDR_TEXT_MAX];
	size_t len = 0;

	s->said++;
	s->status = status;
	s->text[0] = '\0';
	for (unsigned i = 0; i < count; i++)
		len += (size_t)snprintf(s->text + len, sizeof s->text - len, "%s%s",
					i > 0 ? " " : "", addr_print(&addrs[i], one));
}

static void mx_said(void *owner, enum dns_status status, const struct dns_mx *mx, unsigned count)
{
	struct scene *s = owner;
	size_t len = 0;

	s->said++;
	s->status = status;
	s->text[0] = '\0';
	for (unsigned i = 0; i < count; i++)
		len += (size_t)snprintf(s->text + len, sizeof s->text - len, "%s%u:%s",
					i > 0 ? " " : "", mx[i].pref, mx[i].name);
}

static const struct lookup_case {
	const char *name;
	bool is_mx;
	enum dns_status want_status;
	const char *want;
} lookup_cases[] = {
	{ "192.0.2.7", false, DNS_FOUND, "192.0.2.7" },
	{ "2001:db8::7", false, DNS_FOUND, "2001:db8::7" },
	{ "[2001:db8::7]", false, DNS_FOUND, "2001:db8::7" },
	{ "two.test", false, DNS_FOUND, "192.0.2.1 192.0.2.2" },
	{ "TWO.test.", false, DNS_FOUND, "192.0.2.1 192.0.2.2" },
	{ "many.test", false, DNS_FOUND, NULL },
	{ "empty.test", false, DNS_NOTHING, "" },
	{ "absent.test", false, DNS_NOTHING, "" },
	{ "fails.test", false, DNS_FAILED, "" },
	{ "refuses.test", false, DNS_FAILED, "" },
	{ "", false, DNS_NOTHING, "" },
	{ "a..b", false, DNS_NOTHING, "" },
	{ "mail.test", true, DNS_FOUND, "10:first.test 20:second.test 30:third.test" },
	{ "null.test", true, DNS_FOUND, "" },
	{ "crowd.test", true, DNS_FOUND, NULL },
	{ "two.test", true, DNS_NOTHING, "" },
	{ "absent.test", true, DNS_NOTHING, "" },
	{ "fails.test", true, DNS_FAILED, "" },
	{ "a..b", true, DNS_NOTHING, "" },
};

static unsigned words(const char *text)
{
	unsigned count = *text != '\0';

	for (; *text != '\0'; text++)
		count += *text == ' ';
	return count;
}

static void test_lookup(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	for (size_t i = 0; i < sizeof lookup_cases / sizeof lookup_cases[0]; i++) {
		const struct lookup_case *c = &lookup_cases[i];
		unsigned said = s.said;

		print_message("%s %s\n", c->is_mx ? "MX" : "A", c->name);
		if (c->is_mx)
			dns_mx(s.dns, c->name, mx_said, &s);
		else
			dns_addrs(s.dns, c->name, addrs_said, &s);
		assert_int_equal(s.said, said); /* never from inside the call */
		while (s.said == said)
			turn(&s);
		assert_int_equal(s.status, c->want_status);
		if (c->want != NULL)
			assert_string_equal(s.text, c->want);
		else
			assert_int_equal(words(s.text), 16);
	}
	dns_mx(s.dns, "crowd.test", mx_said, &s);
	s.said = 0;
	while (s.said == 0)
		turn(&s);
	assert_int_equal(strncmp(s.text, "1:best 9:", 9), 0); /* although it came last */
	scene_close(&s);
}

static void test_both_families(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	dns_addrs(s.dns, "both.test", addrs_said, &s);
	while (s.said == 0)
		turn(&s);
	assert_int_equal(s.status, DNS_FOUND);
	assert_non_null(strstr(s.text, "192.0.2.1"));
	assert_non_null(strstr(s.text, "2001:db8::1"));
	scene_close(&s);
}

/* Called off before the question is out, while it is out, when the answer is in but not told. */
static void test_cancel(void **state)
{
	const char *const names[] = { "192.0.2.1", "two.test", "absent.test", "silent.test",
				      "a..b" };
	struct scene s;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		for (unsigned turns = 0; turns < 5; turns++) {
			struct dns_query *q;

			scene_open(&s);
			q = dns_addrs(s.dns, names[i], addrs_said, &s);
			for (unsigned t = 0; t < turns && s.said == 0; t++)
				event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK);
			if (s.said == 0) {
				dns_cancel(q);
				for (unsigned t = 0; t < 5; t++)
					event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK);
				assert_int_equal(s.said, 0);
			}
			scene_close(&s);
		}
	}
	dns_cancel(NULL);
}

/* Whoever frees it with questions out hears no more of them. */
static void test_freed_while_asking(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	dns_addrs(s.dns, "silent.test", addrs_said, &s);
	dns_mx(s.dns, "silent.test", mx_said, &s);
	dns_addrs(s.dns, "192.0.2.1", addrs_said, &s);
	event_base_loop(loop_base(s.loop), EVLOOP_NONBLOCK | EVLOOP_ONCE);
	dns_addrs(s.dns, "192.0.2.2", addrs_said, &s);
	s.said = 0;
	scene_close(&s);
	assert_int_equal(s.said, 0);
}

/* The server is asked again, and in the end that is that. */
static void test_timeout(void **state)
{
	struct scene s;

	(void)state;
	dns_try_ms = 100;
	scene_open(&s);
	dns_mx(s.dns, "silent.test", mx_said, &s);
	while (s.said == 0)
		turn(&s);
	assert_int_equal(s.status, DNS_FAILED);
	assert_int_equal(s.server.asked, 2);
	scene_close(&s);
}

static void ask(struct scene *s, const char *name, bool is_mx)
{
	s->said = 0;
	if (is_mx)
		dns_mx(s->dns, name, mx_said, s);
	else
		dns_addrs(s->dns, name, addrs_said, s);
	while (s->said == 0)
		turn(s);
}

static const struct cache_case {
	const char *name;
	bool is_mx;
	unsigned ttl;	       /* of the server's answers, in s */
	unsigned want_ms;      /* it is remembered so long */
	enum dns_status want_status;
	const char *want;
} cache_cases[] = {
	{ "two.test", false, 60, 60000, DNS_FOUND, "192.0.2.1 192.0.2.2" },
	{ "two.test", false, 0, 1000, DNS_FOUND, "192.0.2.1 192.0.2.2" },
	{ "two.test", false, 86400, 3600000, DNS_FOUND, "192.0.2.1 192.0.2.2" },
	{ "two.test", false, 0xffffffff, 1000, DNS_FOUND, "192.0.2.1 192.0.2.2" }, /* RFC 2181 8 */
	{ "mail.test", true, 60, 60000, DNS_FOUND, "10:first.test 20:second.test 30:third.test" },
	{ "mail.test", true, 86400, 3600000, DNS_FOUND,
	  "10:first.test 20:second.test 30:third.test" },
	{ "null.test", true, 60, 60000, DNS_FOUND, "" },
	{ "empty.test", false, 60, 30000, DNS_NOTHING, "" },
	{ "absent.test", false, 60, 30000, DNS_NOTHING, "" },
	{ "absent.test", true, 60, 30000, DNS_NOTHING, "" },
	{ "fails.test", true, 60, 5000, DNS_FAILED, "" },
};

static void test_cache(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cache_cases / sizeof cache_cases[0]; i++) {
		const struct cache_case *c = &cache_cases[i];
		struct scene s;
		unsigned asked;

		print_message("%s %s, TTL %u\n", c->is_mx ? "MX" : "A", c->name, c->ttl);
		clock_stop(true, 1000000, 1000000);
		scene_open(&s);
		s.server.ttl = c->ttl;
		ask(&s, c->name, c->is_mx);
		asked = s.server.asked;
		assert_in_range(asked, 1, 8);
		clock_stop(true, 1000000 + c->want_ms - 1, 0);
		ask(&s, c->name, c->is_mx);
		assert_int_equal(s.server.asked, asked);
		assert_int_equal(s.status, c->want_status);
		assert_string_equal(s.text, c->want);
		clock_stop(true, 1000000 + c->want_ms, 0);
		ask(&s, c->name, c->is_mx);
		assert_int_equal(s.server.asked, 2 * asked);
		scene_close(&s);
		clock_stop(false, 0, 0);
	}
}

/* A name in any case is one question, its addresses and its MX are two. */
static void test_asked_once(void **state)
{
	struct dns_query *q;
	struct scene s;

	(void)state;
	scene_open(&s);
	q = dns_mx(s.dns, "mail.test", mx_said, &s);
	dns_mx(s.dns, "MAIL.test", mx_said, &s);
	dns_mx(s.dns, "mail.test", mx_said, &s);
	dns_cancel(q);
	while (s.said < 2)
		turn(&s);
	assert_int_equal(s.server.asked, 1);
	ask(&s, "mail.test", false);
	assert_in_range(s.server.asked, 2, 4);
	scene_close(&s);
}

/* The one that was not asked for longest goes. */
static void test_full(void **state)
{
	struct scene s;
	unsigned asked;
	char name[32];

	(void)state;
	scene_open(&s);
	for (unsigned i = 0; i < DNS_CACHE_MAX; i++) {
		snprintf(name, sizeof name, "host%u.test", i);
		ask(&s, name, true);
	}
	asked = s.server.asked;
	ask(&s, "host0.test", true);
	assert_int_equal(s.server.asked, asked);
	ask(&s, "one-more.test", true);
	ask(&s, "host0.test", true);
	assert_int_equal(s.server.asked, asked + 1);
	ask(&s, "host1.test", true);
	assert_int_equal(s.server.asked, asked + 2);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_asked_once),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_both_families),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_freed_while_asking),
		cmocka_unit_test(test_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
