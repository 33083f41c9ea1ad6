/*
 * scene - a world for configurations: a directory of its own, and engines that write down what they
 * are asked to load.
 */
#ifndef TESTS_APP_SCENE_H
#define TESTS_APP_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/site.h"
#include "policy/engine.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define GATE "Gateway = \"mx.example\" Relay_Domains = ( \"example.org\" )\n"

static char loaded[4096];

static void *fake_load(const struct policy_stanza *stanza, struct policy_set *set,
		       struct complaints *complaints)
{
	const struct policy_conf *conf = policy_set_conf(set);
	size_t len = strlen(loaded);

	(void)complaints;
	len += (size_t)snprintf(
		loaded + len, sizeof loaded - len,
		"%s %s%s%s%s cache=%u,%u tarpit=%u audit=%d strict=%d masks=%u:", stanza->kind,
		stanza->title, stanza->runtime_error_continue ? " continue" : "",
		stanza->strict_require ? " require" : "", stanza->stub_unavailable ? " stub" : "",
		stanza->cache_size, stanza->cache_life_s, conf->max_tarpit_ms,
		conf->has_inbound_audit, conf->strict_services, conf->mask_map_count);
	for (unsigned i = 0; i < stanza->script_count; i++)
		len += (size_t)snprintf(loaded + len, sizeof loaded - len, " %s=%s%s",
					stanza->scripts[i].title,
					strrchr(stanza->scripts[i].source, '/') + 1,
					stanza->scripts[i].observe ? "?" : "");
	snprintf(loaded + len, sizeof loaded - len, "\n");
	return loaded;
}

static void fake_unload(void *module)
{
	(void)module;
}

static bool fake_handles(const void *module, enum phase phase)
{
	(void)module;
	(void)phase;
	return false;
}

static const struct policy_engine fake_sieve = {
	.kind = "sieve",
	.load = fake_load,
	.unload = fake_unload,
	.handles = fake_handles,
};
static const struct policy_engine fake_lua = {
	.kind = "scriptlet",
	.load = fake_load,
	.unload = fake_unload,
	.handles = fake_handles,
};
static const struct policy_engine *const engines[] = { &fake_sieve, &fake_lua, NULL };
static const struct policy_host host;
static struct site_world world = { .host = &host, .engines = engines };
static char project[4096]; /* where the tests were started */

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* The text as t.conf; complaints into got. */
static struct site *load(const char *text, char *got, size_t size)
{
	FILE *f = fmemopen(got, size, "w");
	struct complaints c;
	struct site *site;

	write_file("t.conf", text);
	complaints_init(&c);
	loaded[0] = '\0';
	site = site_load("t.conf", &world, &c);
	complaints_print(&c, f);
	fputc('\0', f);
	fclose(f);
	assert_int_equal(site == NULL, c.errors > 0);
	complaints_free(&c);
	return site;
}

static int in_own_directory(void **state)
{
	static char dir[] = "/tmp/test_site.XXXXXX";

	world.audit = audit_new();
	world.budgets = budgets_new();
	*state = dir;
	return getcwd(project, sizeof project) == NULL || mkdtemp(dir) == NULL || chdir(dir) != 0;
}

static int remove_directory(void **state)
{
	char command[64];

	budgets_free(world.budgets);
	audit_free(world.audit);
	snprintf(command, sizeof command, "rm -r %s", (const char *)*state);
	return system(command);
}

#endif
