#include "app/host.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static const char *count(void *owner, const struct facts *facts, struct slice service,
			 const struct cidr *block, uint64_t *out)
{
	struct host *host = owner;
	struct audit_scope scope = { 0 };

	if (slice_equal(service, SLICE("LISTENER"))) {
		if (facts->endpoint == NULL)
			return "there is no current listener";
		scope = (struct audit_scope){ audit_endpoint_service(facts->endpoint),
					      facts->endpoint };
	} else {
		const char *wrong = audit_scope_find(host->audit, service, &scope);

		if (wrong != NULL)
			return wrong;
	}
	*out = audit_count(scope, block);
	return NULL;
}

static const char *kind_name(enum action_kind kind)
{
	static const char *const names[] = {
		[ACTION_TARPIT] = "tarpit",	    [ACTION_REPLY] = "reply",
		[ACTION_DISCONNECT] = "disconnect", [ACTION_KEEP] = "keep",
		[ACTION_ERROR] = "error",	    [ACTION_COUNT] = "count",
	};

	return names[kind];
}

/* "10.0 s", "421 4.7.0 too many", "" */
static void effect_print(const struct action *a, char *out, size_t size)
{
	if (a->kind == ACTION_TARPIT)
		snprintf(out, size, " %.1f s", a->ms / 1000.0);
	else if (a->code != 0)
		snprintf(out, size, " %u %.*s", a->code, SLICE_ARGS(a->text));
	else
		out[0] = '\0';
}

/* "192.0.2.1/32"; "": nothing was read, or what a text had in a series. */
static const char *cause_block(const struct audit_read *cause, char out[CIDR_TEXT_MAX])
{
	if (cause == NULL || cause->block.addr.family == ADDR_NONE)
		return "";
	return cidr_print(&cause->block, out);
}

/* "; 1001 SMTP from 192.0.2.1/32", "; 101 login", "" */
static void cause_print(const struct audit_read *cause, char *out, size_t size)
{
	char room[CIDR_TEXT_MAX];
	const char *block = cause_block(cause, room);

	if (cause == NULL)
		out[0] = '\0';
	else
		snprintf(out, size, "; %" PRIu64 " %s%s%s", cause->count, cause->service,
			 block[0] ? " from " : "", block);
}

static void acted(void *owner, const struct facts *facts, const struct action *a)
{
	struct host *host = owner;
	char client[ADDR_TEXT_MAX], effect[512], cause[160], rule[256], counter[128],
		block[CIDR_TEXT_MAX];

	ledger_add(host->ledger, facts->session, &facts->peer, a);
	if (!log_wants(LOG_INFO))
		return;
	addr_print(&facts->peer, client);
	effect_print(a, effect, sizeof effect);
	cause_print(a->cause, cause, sizeof cause);
	snprintf(rule, sizeof rule, "%s:%u", a->file, a->line);
	snprintf(counter, sizeof counter, "%.*s", SLICE_ARGS(a->counter));
	log_event(LOG_INFO, "action", facts->session,
		  (struct log_field[]){
			  LOG_STR("client", client),
			  LOG_STR("listener",
				  facts->endpoint ? audit_endpoint_name(facts->endpoint) : ""),
			  LOG_STR("phase", phase_name(a->phase)),
			  LOG_STR("action", kind_name(a->kind)), LOG_STR("function", a->name),
			  LOG_STR("rule", rule), LOG_INT("code", a->code),
			  LOG_INT("delay_ms", a->ms), LOG_STR("counter", counter),
			  LOG_STR("service", a->cause ? a->cause->service : ""),
			  LOG_STR("prefix", cause_block(a->cause, block)),
			  LOG_INT("value", a->cause ? (int64_t)a->cause->count : 0),
			  LOG_INT("observe", a->observe), LOG_END },
		  "%s: %s%s at %s for unknown[%s] by %s%s%s%s%s", a->observe ? "observe" : "action",
		  a->name, effect, phase_name(a->phase), client, rule, cause,
		  counter[0] ? " (" : "", counter, counter[0] ? ")" : "");
}

static void logged(void *owner, enum log_level level, const struct facts *facts, const char *file,
		   unsigned line, struct slice text)
{
	char number[16] = ""; /* counts do not look where in Lua they are */

	(void)owner;
	if (line > 0)
		snprintf(number, sizeof number, ":%u", line);
	log_event(level, "script", facts != NULL ? facts->session : 0,
		  (struct log_field[]){ LOG_STR("rule", file), LOG_INT("line", line), LOG_END },
		  "%s%s%s%.*s", file, number, file[0] != '\0' ? ": " : "", SLICE_ARGS(text));
}

static struct loop *loop_of(void *owner, unsigned worker)
{
	struct host *host = owner;

	return crew_loop(host->crew, worker);
}

void host_fill(struct policy_host *out, struct host *host)
{
	*out = (struct policy_host){
		.owner = host, .count = count, .acted = acted, .logged = logged,
		.series = host->series, .loop = loop_of,
	};
}
