/*
 * How many times a second one core runs a validate_connect that reads four live counts of the real
 * audit: in a session that was asked before, and with a new session (its `self` made and let go)
 * each time.
 */
#include "bench/policy.h"
#include "policy/lua/lua.h"

int main(int argc, char **argv)
{
	const struct policy_script script = {
		.title = "counts",
		.source = argc > 1 ? argv[1] : "bench/lua/counts",
	};
	struct bench b;
	double same, new;

	bench_open(&b, &lua_engine, &script);
	same = bench_run(&b, false);
	new = bench_run(&b, true);
	printf("lua: four counts of %d sessions: %.0f ns, %.2f M/s; with a new session each: %.0f "
	       "ns, %.2f M/s\n",
	       SESSIONS, same, 1e3 / same, new, 1e3 / new);
	bench_close(&b);
	return 0;
}
