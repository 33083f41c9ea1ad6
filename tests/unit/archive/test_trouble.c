/* What goes wrong each time is told when that is news. */
#include "archive/trouble.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* What the log got of that round; "": nothing. */
static const char *tell(struct trouble *t, const char *const notes[2])
{
	static char line[LOG_LINE_MAX];
	const char *text;
	int fds[2];
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	log_open(fds[1], "tw");
	for (unsigned i = 0; i < 2 && notes[i] != NULL; i++)
		trouble_note(t, notes[i]);
	trouble_tell(t, 10000);
	log_close();
	close(fds[1]);
	n = read(fds[0], line, sizeof line - 1);
	close(fds[0]);
	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	text = strstr(line, "]: ");
	return text != NULL ? text + strlen("]: ") : line;
}

static void rounds(void **state)
{
	static const struct {
		const char *notes[2];
		const char *want;
	} cases[] = {
		{ { NULL }, "" },
		{ { "full" }, "error: no: full; tried again every 10 s" },
		{ { "full" }, "" },
		{ { "full", "gone" }, "" },
		{ { "gone", "full" }, "error: no: gone, and others; tried again every 10 s" },
		{ { NULL }, "yes again" },
		{ { NULL }, "" },
		{ { "gone" }, "error: no: gone; tried again every 10 s" },
	};
	struct trouble t = { .what = "no", .over = "yes again" };

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *got = tell(&t, cases[i].notes);

		if (strcmp(got, cases[i].want) != 0)
			fail_msg("round %u: %s", i, got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
