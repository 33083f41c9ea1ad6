/* What a script does, put into the verdict. */
#include "base/mem.h"
#include "policy/engine.h"

#include <stdlib.h>

enum { CODE_FAILED = 421 };
static const char try_later[] = "temporary issue, please retry your message later"; /* D25 */

static void verdict_set(struct verdict *v, uint16_t code, char *text)
{
	free(v->text);
	v->text = text;
	v->code = code;
}

/* As verdict.h wants it. Everything else that is not text, the writer of the reply replaces. */
static char *lines_of(struct slice text)
{
	char *lines = mem_new(text.len + 1), *to = lines;

	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] != '\r')
			*to++ = text.at[i] != '\0' ? text.at[i] : ' ';
	}
	return lines;
}

static void apply(struct verdict *v, const struct action *action)
{
	switch (action->kind) {
	case ACTION_TARPIT:
		v->delay_ms += action->ms;
		return;
	case ACTION_DISCONNECT:
		v->disconnect = true;
		if (action->code == 0)
			return;
		/* fall through */
	case ACTION_REPLY:
		verdict_set(v, action->code, lines_of(action->text));
		return;
	case ACTION_KEEP:
	case ACTION_ERROR:
	case ACTION_COUNT:
		return;
	}
}

static void done(struct policy_run *run, struct action *action)
{
	const struct policy_host *host = policy_set_host(run->set);

	action->phase = run->phase;
	action->observe = run->observe;
	host->acted(host->owner, run->facts, action);
}

const char *policy_act(struct policy_run *run, struct action *action)
{
	uint32_t left = policy_set_conf(run->set)->max_tarpit_ms - run->verdict->delay_ms;
	bool needs_code = action->kind == ACTION_REPLY ||
			  (action->kind == ACTION_DISCONNECT && action->code != 0);
	const char *wrong = needs_code ? verdict_code_fault(action->code) : NULL;

	if (wrong != NULL)
		return wrong;
	if (action->ms > left)
		action->ms = left;
	if (action->text.len > POLICY_TEXT_MAX)
		action->text.len = POLICY_TEXT_MAX;
	if (!run->observe)
		apply(run->verdict, action);
	done(run, action);
	return NULL;
}

void policy_fail(struct policy_run *run, const char *file, unsigned line, const char *why)
{
	const char *hostname = policy_set_conf(run->set)->hostname;
	struct action action = {
		.kind = ACTION_ERROR,
		.name = "error",
		.file = file,
		.line = line,
		.code = CODE_FAILED,
		.text = slice_of(why),
	};

	if (!run->observe) {
		verdict_set(run->verdict, CODE_FAILED, mem_printf("%s %s", hostname, try_later));
		run->verdict->disconnect = true;
		run->verdict->failed = true;
	}
	done(run, &action);
}
