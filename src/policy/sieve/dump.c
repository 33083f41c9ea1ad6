#include "policy/sieve/program.h"

/* What x of an operation stands for. */
enum operand { NOTHING, NUMBER, TARGET, VARIABLE, CONSTANT, TEXT, SITE, MATCH };

static const struct {
	const char *name;
	enum operand operand;
} ops[] = {
	[OP_END] = { "end", NOTHING },		  [OP_CONSTANT] = { "constant", CONSTANT },
	[OP_VARIABLE] = { "variable", VARIABLE }, [OP_STRING_OF] = { "string-of", VARIABLE },
	[OP_TEXT] = { "text", TEXT },		  [OP_LIST] = { "list", NUMBER },
	[OP_INDEX] = { "index", NOTHING },	  [OP_CALL] = { "call", SITE },
	[OP_DROP] = { "drop", NOTHING },	  [OP_STORE] = { "store", VARIABLE },
	[OP_SPREAD] = { "spread", NUMBER },	  [OP_MATCH] = { "match", MATCH },
	[OP_TRUTH] = { "truth", NOTHING },	  [OP_SET] = { "set", NUMBER },
	[OP_NOT] = { "not", NOTHING },		  [OP_JUMP] = { "jump", TARGET },
	[OP_JUMP_IF] = { "jump-if", TARGET },	  [OP_JUMP_UNLESS] = { "jump-unless", TARGET },
	[OP_IF] = { "if", NOTHING },		  [OP_ENTER] = { "enter", NOTHING },
	[OP_INCLUDE] = { "include", NOTHING },	  [OP_STOP] = { "stop", NOTHING },
};

static bool print_value(const struct value *v, struct buf *out)
{
	bool good = true;

	if (v->type == VALUE_NUMBER)
		return buf_printf(out, " %lld", (long long)v->number);
	if (v->type == VALUE_STRING)
		return buf_printf(out, " \"%.*s\"", SLICE_ARGS(v->string));
	good = buf_printf(out, " [");
	for (uint32_t i = 0; good && i < v->count; i++)
		good = print_value(&v->list[i], out);
	return good && buf_printf(out, " ]");
}

static bool print_text(const struct text *text, struct buf *out)
{
	static const char *const frames[][2] = {
		[PART_TEXT] = { "\"", "\"" },
		[PART_VARIABLE] = { "${", "}" },
		[PART_MACRO] = { "%{", "}" },
	};

	for (unsigned i = 0; i < text->count; i++) {
		const struct part *part = &text->parts[i];

		if (!buf_printf(out, " %s%.*s%s", frames[part->kind][0], SLICE_ARGS(part->text),
				frames[part->kind][1]))
			return false;
	}
	return true;
}

static bool print_site(const struct call_site *site, struct buf *out)
{
	return buf_printf(out, " %s%s%.*s/%u%s", site->fn->name, site->tag.len > 0 ? ":" : "",
			  SLICE_ARGS(site->tag), site->argc, site->ends ? " ends" : "");
}

static bool print_match(const struct match *m, struct buf *out)
{
	return buf_printf(out, " :%s %s %s%s", sieve_match_name(m),
			  m->kind == MATCH_RELATION ? sieve_relation_name(m->relation) : "-",
			  sieve_comparator_name(m->comparator),
			  m->regex_count > 0 ? " compiled" : "");
}

static bool print_operand(const struct program *p, struct symbols *symbols, const struct op *op,
			  struct buf *out)
{
	switch (ops[op->code].operand) {
	case NOTHING:
		return true;
	case NUMBER:
		return buf_printf(out, " %u", op->x);
	case TARGET:
		return buf_printf(out, " -> %u", op->x);
	case VARIABLE:
		return buf_printf(out, " $%s", sieve_symbols_name(symbols, op->x));
	case CONSTANT:
		return print_value(&p->constants[op->x], out);
	case TEXT:
		return print_text(&p->texts[op->x], out);
	case SITE:
		return print_site(&p->sites[op->x], out);
	case MATCH:
		return print_match(&p->matches[op->x], out);
	}
	return true;
}

bool sieve_dump(const struct program *program, struct symbols *symbols, struct buf *out)
{
	for (unsigned i = 0; i < program->op_count; i++) {
		const struct op *op = &program->ops[i];

		if (!buf_printf(out, "%u %u: %s", i, op->line, ops[op->code].name) ||
		    !print_operand(program, symbols, op, out) || !buf_printf(out, "\n"))
			return false;
	}
	return true;
}
