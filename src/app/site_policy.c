#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/site_build.h"
#include "base/mem.h"

static const char *source_wrong(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0 || access(path, R_OK) != 0)
		return strerror(errno);
	return S_ISREG(st.st_mode) ? NULL : "it is not a file";
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* false: there is no such script to compile, and that has been said. */
static bool script_build(struct build *b, const struct conf_scope *scope, struct policy_script *out)
{
	const struct conf_option *source = option_find(scope, OPT_SOURCE);
	const struct chain chain = { .at = { scope }, .count = 1 };
	bool is_lua = scope->parent->row == &scope_rows[SCOPE_SCRIPTLET];
	const char *wrong, *path;

	if (source == NULL) {
		complain(b->complaints, scope->at,
			 "script \"%s\" without a source, expected source = \"..\"", scope->title);
		return false;
	}
	if (source->value_read == NULL)
		return false;
	path = source->value_read->text;
	if (is_lua && ends_with(path, ".lua")) {
		complain(b->complaints, source->value.at,
			 "source is \"%.60s\", expected it without .lua", source->value.text);
		return false;
	}
	*out = (struct policy_script){ scope->title, path, chain_truth(&chain, OPT_OBSERVE),
				       source->value.at };
	if (is_lua) {
		size_t size = strlen(path) + sizeof ".lua";
		char *file = conf_take(b->conf, size);

		snprintf(file, size, "%s.lua", path);
		path = file;
	}
	wrong = source_wrong(path);
	if (wrong == NULL)
		return true;
	complain(b->complaints, source->value.at, "cannot read %s: %s", path, wrong);
	return false;
}

static void stanza_build(struct build *b, const struct conf_scope *scope, struct policy_stanza *out)
{
	const struct chain chain = { .at = { scope }, .count = 1 };
	const struct conf_scope *script = NULL;
	struct policy_script *scripts;
	unsigned count = 0;

	while ((script = scope_next(scope, SCOPE_SCRIPT, script)) != NULL)
		count++;
	scripts = conf_array(b->conf, count, sizeof *scripts);
	*out = (struct policy_stanza){
		.kind = scope->row->name,
		.title = scope->title,
		.at = scope->at,
		.scripts = scripts,
		.runtime_error_continue = chain_number(&chain, OPT_RUNTIME_ERROR) == 1,
		.strict_require = chain_truth(&chain, OPT_STRICT_REQUIRE),
		.stub_unavailable = chain_truth(&chain, OPT_STUB_UNAVAILABLE),
		.cache_size = (unsigned)chain_number(&chain, OPT_CACHE_SIZE),
		.cache_life_s = (unsigned)(chain_number(&chain, OPT_CACHE_LIFE) / 1000),
	};
	while ((script = scope_next(scope, SCOPE_SCRIPT, script)) != NULL)
		if (script->key != NULL && script_build(b, script, &scripts[out->script_count]))
			out->script_count++;
}

struct policy_set *policy_build(struct build *b)
{
	const struct conf_scope *top = &b->conf->top, *audit = scope_next(top, SCOPE_AUDIT, NULL),
				*s;
	const struct chain chain = { .at = { audit }, .count = audit != NULL };
	const struct option_value *map = chain_value(&chain, OPT_IPV6_MASK_MAP);
	struct policy_stanza *stanzas;
	struct policy_conf conf;
	unsigned count = 0;

	STAILQ_FOREACH (s, &top->scopes, next)
		count++;
	stanzas = conf_array(b->conf, count, sizeof *stanzas);
	count = 0;
	STAILQ_FOREACH (s, &top->scopes, next) {
		const struct chain stanza = { .at = { s }, .count = 1 };

		if (s->row != &scope_rows[SCOPE_SIEVE] && s->row != &scope_rows[SCOPE_SCRIPTLET])
			continue;
		if (s->key != NULL && chain_truth(&stanza, OPT_ENABLED))
			stanza_build(b, s, &stanzas[count++]);
	}
	conf = (struct policy_conf){
		.hostname = b->hostname,
		.stanzas = stanzas,
		.stanza_count = count,
		.workers = b->workers > b->world->threads ? b->workers : b->world->threads,
		.has_inbound_audit = audit != NULL,
		.strict_services = chain_truth(&chain, OPT_STRICT_SERVICES),
		.max_tarpit_ms = (uint32_t)chain_number(&chain, OPT_MAX_TARPIT),
		.mask_map = map ? map->masks : NULL,
		.mask_map_count = map ? map->count : 0,
		.monitors = b->series.monitors,
		.monitor_count = b->series.monitor_count,
		.series_high = chain_number(&chain, OPT_SERIES_BOUND) == 1,
	};
	return policy_load(&conf, b->world->engines, b->world->host, b->complaints);
}
