/* A world for policy to judge in: one session, a host that remembers what it was told. */
#ifndef TEST_POLICY_FAKE_H
#define TEST_POLICY_FAKE_H

#include "policy/engine.h"
#include "policy/expect.h"
#include "policy/fn.h"

#define STR(text) { .type = VALUE_STRING, .string = { (text), sizeof(text) - 1 } }
#define NUM(n) { .type = VALUE_NUMBER, .number = (n) }
#define LIST(members) { .type = VALUE_LIST, .count = COUNT(members), .list = (members) }
#define NONE { .type = VALUE_NONE }

struct fake {
	struct policy_host host;
	struct policy_conf conf;
	struct policy_set *set;
	struct facts facts;
	struct facts_mail mail;
	struct verdict verdict;
	struct policy_run run;
	struct fn_call call;

	uint64_t count;	     /* what every block holds */
	const char *refusal; /* or what is wrong with asking */
	struct buf asked;    /* "SMTP 192.0.2.0/24\n" */
	struct buf acted;    /* "connect ec_tarpit ms=1000 code=0 text= counter=c\n" */
	struct buf logged;
	enum log_level level; /* of the last of them */
};

static inline const char *fake_count(void *owner, const struct facts *facts, struct slice service,
				     const struct cidr *block, uint64_t *out)
{
	struct fake *fake = owner;
	char text[CIDR_TEXT_MAX];

	(void)facts;
	assert_true(buf_printf(&fake->asked, "%.*s %s\n", SLICE_ARGS(service),
			       cidr_print(block, text)));
	*out = fake->count;
	return fake->refusal;
}

static inline void fake_acted(void *owner, const struct facts *facts, const struct action *a)
{
	struct fake *fake = owner;
	char text[CIDR_TEXT_MAX];

	(void)facts;
	assert_true(buf_printf(&fake->acted, "%s %s ms=%u code=%u text=%.*s counter=%.*s",
			       phase_name(a->phase), a->name, a->ms, a->code, SLICE_ARGS(a->text),
			       SLICE_ARGS(a->counter)));
	if (a->cause != NULL)
		assert_true(buf_printf(&fake->acted, " cause=%s %s %lu", a->cause->service,
				       cidr_print(&a->cause->block, text),
				       (unsigned long)a->cause->count));
	assert_true(buf_printf(&fake->acted, "%s\n", a->observe ? " observe" : ""));
}

static inline void fake_logged(void *owner, enum log_level level, const struct facts *facts,
			       const char *file, unsigned line, struct slice text)
{
	struct fake *fake = owner;

	(void)facts;
	fake->level = level;
	assert_true(buf_printf(&fake->logged, "%s:%u: %.*s\n", file, line, SLICE_ARGS(text)));
}

/* facts and conf may have been filled in; the set is loaded without any module. */
static inline void fake_begin(struct fake *fake)
{
	static const struct policy_engine *const no_engines[] = { NULL };
	struct complaints complaints;

	complaints_init(&complaints);
	fake->host.owner = fake;
	fake->host.count = fake_count;
	fake->host.acted = fake_acted;
	fake->host.logged = fake_logged;
	fake->conf.hostname = "edge.example.org";
	fake->set = policy_load(&fake->conf, no_engines, &fake->host, &complaints);
	assert_non_null(fake->set);
	complaints_free(&complaints);
	fake->run.set = fake->set;
	fake->run.facts = &fake->facts;
	fake->run.verdict = &fake->verdict;
	fake->run.phase = PHASE_CONNECT;
	fake->run.can_wait = true;
	arena_init(&fake->run.arena, POLICY_RUN_MEMORY);
}

static inline void fake_end(struct fake *fake)
{
	arena_free(&fake->run.arena);
	ctx_clear(&fake->facts.conn);
	ctx_clear(&fake->mail.mess);
	verdict_clear(&fake->verdict);
	buf_free(&fake->asked);
	buf_free(&fake->acted);
	buf_free(&fake->logged);
	policy_unref(fake->set);
}

static inline enum fn_status fake_call(struct fake *fake, unsigned language, const char *name,
				       const struct value *argv, unsigned argc)
{
	fake->call.run = &fake->run;
	fake->call.fn = fn_find(language, slice_of(name));
	fake->call.file = "a.siv";
	fake->call.line = 3;
	fake->call.cause = 0;
	if (fake->call.fn == NULL)
		fail_msg("there is no %s", name);
	return fn_call(&fake->call, argv, argc);
}

/* A value as one text: abc, 12, [a,b], {k=v}. */
static inline void value_print(const struct value *v, struct buf *out)
{
	const struct value *member;
	struct slice key;
	bool fits = true;

	switch ((enum value_type)v->type) {
	case VALUE_NONE:
		fits = buf_printf(out, "none");
		break;
	case VALUE_STRING:
	case VALUE_TAG:
		fits = buf_add_slice(out, v->string);
		break;
	case VALUE_NUMBER:
		fits = buf_printf(out, "%ld", (long)v->number);
		break;
	case VALUE_LIST:
		for (uint32_t i = 0; i < v->count; i++) {
			assert_true(buf_add(out, i == 0 ? "[" : ",", 1));
			value_print(&v->list[i], out);
		}
		fits = v->count > 0 ? buf_add(out, "]", 1) : buf_add(out, "[]", 2);
		break;
	case VALUE_HASH:
		assert_true(buf_add(out, "{", 1));
		for (uint32_t i = 0; (member = value_hash_nth(v->hash, i, &key)) != NULL; i++) {
			assert_true(buf_printf(out, "%s%.*s=", i == 0 ? "" : ",", SLICE_ARGS(key)));
			value_print(member, out);
		}
		fits = buf_add(out, "}", 1);
		break;
	}
	assert_true(fits);
}

/* The result, or the error after a '!'. */
static inline void expect_result(const char *name, struct fake *fake, enum fn_status status,
				 const char *want)
{
	struct buf got = { 0 };

	if (status == FN_OK)
		value_print(&fake->call.result, &got);
	else
		assert_true(buf_printf(&got, "!%s", fake->call.error));
	expect_text(name, &got, want);
	buf_free(&got);
}

#endif
