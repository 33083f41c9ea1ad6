/*
 * The reference, as Markdown and as a manual page, and the sample file: what the rows say, in three
 * clothes. In the rows and below, `..` is what a reader would type.
 */
#include <ctype.h>
#include <string.h>

#include "app/options.h"

/* A way of writing. */
struct dress {
	const char *before; /* the whole */
	const char *section, *section_end;
	const char *paragraph;
	const char *typed, *typed_end;
	const char *example, *example_end;
};

static const struct dress markdown = {
	.before = "# Configuration\n\n<!-- Made from src/app/options.c by `make docs`. -->\n",
	.section = "\n## ",
	.section_end = "\n\n",
	.paragraph = "\n",
	.typed = "`",
	.typed_end = "`",
	.example = "\n```\n",
	.example_end = "```\n",
};

static const struct dress manual = {
	.before =
		".\\\" Made from src/app/options.c by `make docs'.\n"
		".Dd November 20, 2026\n.Dt TIDEWAITER.CONF 5\n.Os\n.Sh NAME\n.Nm tidewaiter.conf\n"
		".Nd configuration of tidewaiter\n",
	.section = ".Sh ",
	.section_end = "\n",
	.paragraph = ".Pp\n",
	.typed = "\\fB",
	.typed_end = "\\fR",
	.example = ".Bd -literal -offset indent\n",
	.example_end = ".Ed\n",
};

/* The chapters before the tables. "## " begins a section, four blanks an example. */
static const char *const chapters[] = {
	"## Language",
	"A file holds options, `NAME = VALUE`, and scopes, `NAME \"TITLE\" { .. }`, which hold "
	"options and scopes in turn. Names are case-insensitive, titles are not. `#` begins a "
	"comment up to the end of the line; `/*` and `*/` enclose one.",
	"A value is a word or a string in double quotes; with blanks or any of `# / \" ' = { } [ "
	"] ( )` in it, it must be a string. In a string `\\\"` and `\\\\` are the only escapes. "
	"A list is `( \"a\" \"b\" )`, a dictionary `[ key = \"value\" ]`.",
	"`include \"PATH\"` reads a file at that place, or all files of a directory in lexical "
	"order, hidden ones and sub-directories left out; `readonly_include` is the same. "
	"Relative paths, everywhere, start at the directory of the file that names them.",
	"Every mistake is reported in one run, each as `FILE:LINE:COL: what, and what was "
	"expected`. `tidewaiter -t -c FILE` checks without running. On reload a file with a "
	"mistake changes nothing.",
	"## Types",
	"A boolean is `on` or `off`, `true` or `false`, `enabled` or `disabled`, `1` or `0`. A "
	"whole number has no leading zero. A size may end in `K`, `M` or `G`. A time is in "
	"seconds, may have a fraction, and may end in `s`, `m`, `h` or `d`. An address needs "
	"brackets when it is IPv6 and could be taken for something else, that is in `Listen`, "
	"`Gateway` and `Routes`.",
	"`Listen` takes `ADDRESS:PORT`, `*:PORT` (any IPv4 address), `[*]:PORT` (any IPv6 "
	"address) or the path of a Unix socket.",
	"A next hop is `host`, `host:port`, `a.b.c.d:port`, `[v6]:port`, `maildir:PATH`, or "
	"`smtp://host?pref=10&port=25&type=mx`, where `type=mx` asks for the mail exchangers of "
	"the name.",
	"## Which setting holds",
	"The same option may be set in several scopes. For a client, each option is looked up on "
	"its own: in the `Peer` scopes of the `Listen` that hold the client's address, the "
	"longest block first; in those of the `ESMTP_Listener`; in the `Listen`; in the "
	"`ESMTP_Listener`; at the top level; and then the default holds. Lists and dictionaries "
	"are not merged.",
	"Session caps are the exception: those of the `Listen`, of the `ESMTP_Listener`, and of "
	"the one `Peer` found as above all hold at once. A `Peer` counts the sessions of its "
	"block, a `Listen` its own, the `ESMTP_Listener` all.",
	"    ESMTP_Listener {\n"
	"      Listener_Sessions = 2000\n"
	"      Peer \"10.20.0.0/16\" { Max_Recipients_Per_Message = 500 }\n"
	"      Listen \"*:25\" {\n"
	"        Peer \"0.0.0.0/0\" { Idle_Time = 30 Listener_Sessions = 1000 }\n"
	"      }\n"
	"    }\n",
	NULL,
};

/* `..` gets the dress's clothes; what roff would read as its own is escaped for it. */
static void print_text(const struct dress *dress, const char *text, FILE *out)
{
	bool typed = false;

	for (; *text != '\0'; text++) {
		if (*text == '`')
			fputs((typed = !typed) ? dress->typed : dress->typed_end, out);
		else if (*text == '\\' && dress == &manual)
			fputs("\\e", out);
		else if (text[0] == '.' && text[1] == ' ' && dress == &manual)
			fputs(".\n", out), text++; /* a sentence, a line */
		else if (*text == '|' && dress == &markdown)
			fputs("\\|", out);
		else
			fputc(*text, out);
	}
}

static void print_section(const struct dress *dress, const char *name, const char *around,
			  FILE *out)
{
	fputs(dress->section, out);
	for (const char *at = name; *at; at++)
		fputc(dress == &manual ? toupper((unsigned char)*at) : *at, out);
	fprintf(out, "%s%s%s", around ? " in " : "", around ? around : "", dress->section_end);
}

static bool is_section(const char *text)
{
	return strncmp(text, "## ", 3) == 0;
}

static void print_chapter(const struct dress *dress, const char *text, bool begins_section,
			  FILE *out)
{
	if (is_section(text)) {
		print_section(dress, text + 3, NULL, out);
	} else if (text[0] == ' ') {
		fputs(dress->example, out);
		for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
			fprintf(out, "%.*s\n", (int)strcspn(line + 4, "\n"), line + 4);
		fputs(dress->example_end, out);
	} else {
		fputs(begins_section ? "" : dress->paragraph, out);
		print_text(dress, text, out);
		fputc('\n', out);
	}
}

/* Options are described in the outermost scope that they may stand in. */
static bool belongs(const struct option_row *row, enum scope_kind kind)
{
	return (row->scopes & -row->scopes) == 1u << kind;
}

static bool has_options(enum scope_kind kind)
{
	for (unsigned i = 0; i < OPTION_COUNT; i++)
		if (belongs(&option_rows[i], kind))
			return true;
	return false;
}

static void print_where(const struct option_row *row, FILE *out)
{
	const char *between = "";

	for (unsigned i = 0; i < SCOPE_COUNT; i++) {
		if ((row->scopes & 1u << i) == 0 || i == SCOPE_CONTROL_LISTEN)
			continue;
		fprintf(out, "%s%s", between, scope_rows[i].name);
		between = ", ";
	}
}

static void print_type(const struct dress *dress, const struct option_row *row, FILE *out)
{
	fputs(option_type_name(row->type), out);
	for (unsigned i = 0; row->choices != NULL && row->choices[i] != NULL; i++)
		fprintf(out, "%s%s%s%s", i == 0 ? ": " : " or ", dress->typed, row->choices[i],
			dress->typed_end);
	if (row->unit != NULL)
		fprintf(out, " (%s)", row->unit);
}

static void print_default(const struct dress *dress, const struct option_row *row, FILE *out)
{
	if (row->idle != NULL)
		fputs("none", out);
	else if (row->standard != NULL)
		fprintf(out, "%s%s%s", dress->typed, row->standard, dress->typed_end);
	else
		print_text(dress, row->absent, out);
}

static void print_about(const struct dress *dress, const struct option_row *row, FILE *out)
{
	if (row->idle != NULL)
		fprintf(out, "Accepted for old configurations, without effect: %s.", row->idle);
	else
		print_text(dress, row->about, out);
}

static void print_scope_head(const struct dress *dress, enum scope_kind kind, FILE *out)
{
	const struct scope_row *row = &scope_rows[kind];
	const char *around = NULL, *between = "";

	/* There are two Listens. */
	for (unsigned i = SCOPE_TOP + 1; i < SCOPE_COUNT; i++)
		if (row->within == 1u << i)
			around = scope_rows[i].name;
	print_section(dress, row->name, around, out);
	print_text(dress, row->about, out);
	fputs("\n", out);
	if (row->within == 0)
		return;
	fputs("Stands in: ", out);
	for (unsigned i = 0; i < SCOPE_COUNT; i++) {
		if ((row->within & 1u << i) == 0)
			continue;
		fprintf(out, "%s%s", between, scope_rows[i].name);
		between = ", ";
	}
	fputs(".\n", out);
}

static void print_scope_markdown(enum scope_kind kind, FILE *out)
{
	if (!has_options(kind))
		return;
	fputs("\n| Option | Type | Default | Where | |\n|---|---|---|---|---|\n", out);
	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &option_rows[i];

		if (!belongs(row, kind))
			continue;
		fprintf(out, "| `%s` | ", row->name);
		print_type(&markdown, row, out);
		fputs(" | ", out);
		print_default(&markdown, row, out);
		fputs(" | ", out);
		print_where(row, out);
		fputs(" | ", out);
		print_about(&markdown, row, out);
		fputs(" |\n", out);
	}
}

static void print_scope_manual(enum scope_kind kind, FILE *out)
{
	if (!has_options(kind))
		return;
	fputs(".Bl -tag -width indent\n", out);
	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &option_rows[i];

		if (!belongs(row, kind))
			continue;
		fprintf(out, ".It Ic %s\n", row->name);
		print_about(&manual, row, out);
		fputs("\n.br\nA ", out);
		print_type(&manual, row, out);
		fputs("; default: ", out);
		print_default(&manual, row, out);
		fputs("; in: ", out);
		print_where(row, out);
		fputs(".\n", out);
	}
	fputs(".El\n", out);
}

static void print_absent(const struct dress *dress, const struct absent_row *rows, FILE *out)
{
	for (const char *between = ""; rows->name != NULL; rows++, between = ", ")
		fprintf(out, "%s%s%s%s", between, dress->typed, rows->name, dress->typed_end);
	fputs(".\n", out);
}

static void print_reference(const struct dress *dress, void (*print_scope)(enum scope_kind, FILE *),
			    FILE *out)
{
	fputs(dress->before, out);
	for (unsigned i = 0; chapters[i] != NULL; i++)
		print_chapter(dress, chapters[i], i > 0 && is_section(chapters[i - 1]), out);
	for (unsigned i = 0; i < SCOPE_COUNT; i++) {
		print_scope_head(dress, (enum scope_kind)i, out);
		print_scope((enum scope_kind)i, out);
	}
	print_section(dress, "Not available", NULL, out);
	print_text(dress, "Known from elsewhere; to use one of these is an error. Scopes:\n", out);
	print_absent(dress, absent_scopes, out);
	print_chapter(dress, "Options:", false, out);
	print_absent(dress, absent_options, out);
	print_section(dress, "See also", NULL, out);
	print_text(dress, "`tidewaiter(8)`, `tidectl(8)`\n", out);
}

/* --- the sample file --- */

static const struct {
	enum scope_kind kind;
	const char *open;
	const char *more; /* lines after the options */
	const char *close;
	bool comment; /* all of it */
} samples[] = {
	{ SCOPE_TOP, NULL, NULL, NULL, false },
	{ SCOPE_ESMTP, "ESMTP_Listener {", "\tListen \"*:25\" {}\n\tListen \"[*]:25\" {}\n", "}",
	  false },
	{ SCOPE_CONTROL, "Control_Listener {", "\tListen \"/run/tidewaiter/control.sock\" {}\n",
	  "}", false },
	{ SCOPE_AUDIT, "inbound_audit {", NULL, "}", false },
	{ SCOPE_SIEVE, "sieve \"policy\" {",
	  "\t#script \"connect_phase1\" { source = \"connect.sieve\" }\n", "}", true },
	{ SCOPE_SCRIPTLET, "scriptlet \"scriptlet\" {",
	  "\t# Says in the log what it would do, and does nothing.\n"
	  "\tscript \"limits\" { source = \"policy/limits\" observe = true }\n", "}", false },
};

/* Words of a comment, on as many lines as they take. */
static void print_comment(const char *indent, const char *text, FILE *out)
{
	size_t col = 0;

	for (const char *word = text; *word != '\0'; word += strspn(word, " ")) {
		size_t len = strcspn(word, " ");

		if (col == 0 || col + 1 + len > 90) {
			fprintf(out, "%s%s#", col == 0 ? "" : "\n", indent);
			col = 1;
		}
		fprintf(out, " %.*s", (int)len, word);
		col += 1 + len;
		word += len;
	}
	fputc('\n', out);
}

static void print_about_comment(const char *indent, const char *about, const char *standard,
				FILE *out)
{
	char text[512], *to = text;

	snprintf(text, sizeof text, "%s%s%s%s", about, standard ? " Default: " : "",
		 standard ? standard : "", standard ? "." : "");
	for (const char *from = text; *from != '\0'; from++)
		if (*from != '`')
			*to++ = *from;
	*to = '\0';
	print_comment(indent, text, out);
}

static void print_sample_option(const struct option_row *row, const char *indent, bool comment,
				FILE *out)
{
	const char *value = row->shipped || row->standard == NULL ? row->example : row->standard;
	const char *quote = row->type == OPTION_PATH && value[0] != '"' ? "\"" : "";
	const char *standard = row->standard == NULL ? row->absent
			       : row->shipped	     ? row->standard
						     : NULL;

	fputc('\n', out);
	print_about_comment(indent, row->about, standard, out);
	fprintf(out, "%s%s%s = %s%s%s\n", indent, comment || !row->shipped ? "#" : "", row->name,
		quote, value, quote);
}

static void print_sample(FILE *out)
{
	fputs("# /etc/tidewaiter/tidewaiter.conf, see tidewaiter.conf(5). What is commented out"
	      " is the\n"
	      "# default, or where there is none an example. Made from src/app/options.c by"
	      " `make docs`.\n",
	      out);
	for (unsigned i = 0; i < sizeof samples / sizeof *samples; i++) {
		enum scope_kind kind = samples[i].kind;
		const char *mark = samples[i].comment ? "#" : "";

		if (samples[i].open != NULL) {
			fputc('\n', out);
			print_about_comment("", scope_rows[kind].about, NULL, out);
			fprintf(out, "%s%s\n", mark, samples[i].open);
		}
		for (unsigned k = 0; k < OPTION_COUNT; k++)
			if (belongs(&option_rows[k], kind) && option_rows[k].idle == NULL)
				print_sample_option(&option_rows[k], samples[i].open ? "\t" : "",
						    samples[i].comment, out);
		if (samples[i].more != NULL)
			fprintf(out, "\n%s", samples[i].more);
		if (samples[i].close != NULL)
			fprintf(out, "%s%s\n", mark, samples[i].close);
	}
}

int options_print(const char *format, FILE *out)
{
	if (strcmp(format, "md") == 0)
		print_reference(&markdown, print_scope_markdown, out);
	else if (strcmp(format, "mdoc") == 0)
		print_reference(&manual, print_scope_manual, out);
	else if (strcmp(format, "sample") == 0)
		print_sample(out);
	else
		return 64; /* EX_USAGE */
	return 0;
}
