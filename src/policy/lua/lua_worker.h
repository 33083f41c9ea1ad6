/*
 * lua_worker - one worker's Lua state: the scripts' modules in it, and the entry into them.
 *
 * Made for every worker at load, by the loading thread; then only its worker enters it. For this
 * room only.
 */
#ifndef POLICY_LUA_LUA_WORKER_H
#define POLICY_LUA_LUA_WORKER_H

#include "policy/engine.h"
#include "policy/lua/lua_limits.h"

enum { LUA_MODULES_MAX = 64 };

/* A callout that modules may have: its name and what it is given. */
struct lua_callout {
	const char *name;
	enum phase phase;
	const char *args; /* m msg, s str, a ac, v vctx, in order */
};

enum lua_lifecycle { LUA_LIFE_INIT, LUA_LIFE_DEINIT, LUA_LIFE_DEALLOC, LUA_LIVES };
enum { LUA_CALLOUTS = 8 };

extern const struct lua_callout lua_callouts[LUA_CALLOUTS]; /* in the order they are called */
extern const char *const lua_lifecycles[LUA_LIVES];

/* What a script registered (2.3). The ints are references; LUA_NOREF: it has none. */
struct lua_module {
	char *name;
	bool observe;
	int table;
	int self_meta; /* metatable of a session's self: what it lacks is looked up in the table */
	int callouts[LUA_CALLOUTS];
	int lifecycles[LUA_LIVES];
};

/* What a worker keeps of a session: its `self` in each module, and _TLS. References, made when
 * needed. */
struct lua_session {
	int tls;
	int self[];
};

/* The singletons that stand for the run now in progress. Scripts may keep them; they mean the next
 * run then, and no session when there is none. */
enum lua_object { LUA_OBJECT_AC, LUA_OBJECT_VCTX, LUA_OBJECT_MSG, LUA_OBJECTS };

struct lua_worker {
	struct lua_limits limits; /* first: lua_worker_of() */
	lua_State *L;
	lua_State *thread; /* what callouts run in, again and again; a new one after a failure */
	int thread_ref;
	int objects[LUA_OBJECTS];
	struct policy_set *set;	     /* borrowed: ours */
	const struct policy_host *host;
	struct policy_run *run;	     /* NULL: none; then there is no session to ask about */
	const struct facts *facts;   /* whose log lines these are; never NULL */
	void **session;		     /* the slot of a struct lua_session; NULL: none */
	int entered;		     /* a reference to the function entered, or LUA_NOREF */
	unsigned reads_before;	     /* run->read_count when the callout began */
	const struct policy_script *loading; /* NULL: registerModule is too late */
	bool stub_unavailable;
	bool ready;
	struct lua_module modules[LUA_MODULES_MAX];
	unsigned module_count;
};

extern const struct facts lua_nobody; /* for log lines of no session */

static inline struct lua_worker *lua_worker_of(lua_State *L)
{
	return (struct lua_worker *)lua_limits_of(L);
}

/* lua_load.c: loads the stanza's scripts and runs their init. false: there are complaints. */
bool lua_worker_open(struct lua_worker *w, const struct policy_stanza *stanza,
		     struct policy_set *set, struct complaints *complaints);
void lua_worker_close(struct lua_worker *w);

/* Asks the modules about run->phase. */
enum engine_step lua_worker_run(struct lua_worker *w, struct policy_run *run);
/* Runs validate_dealloc and forgets the session. */
void lua_worker_session_over(struct lua_worker *w, const struct facts *facts, void **session);

/* What went wrong in Lua. */
struct lua_fault {
	struct lua_where at; /* line 0: nowhere in particular */
	char text[512];
	char trace[1024];
};

/* The session's, made at first sight. */
struct lua_session *lua_worker_session(struct lua_worker *w);

/* The thread, with nothing on it but the function of that reference. */
lua_State *lua_worker_prepare(struct lua_worker *w, int function);
/* Enter the function below nargs arguments on w->thread; leaves one result there. */
bool lua_worker_enter(struct lua_worker *w, int nargs, const struct lua_budget *budget,
		      struct lua_fault *fault);

void lua_worker_log_fault(struct lua_worker *w, const struct lua_fault *fault);

/* Where the running callout is, or begins. Gives the file's name; *at holds it. */
const char *lua_worker_where(lua_State *L, struct lua_where *at);
/* The latest count that this callout read, because of which it does what it does next: an origin
 * (struct value). */
unsigned lua_worker_cause(const struct lua_worker *w);
/* A line for the log, with the place. */
void lua_worker_log(lua_State *L, enum log_level level, struct slice text);

/* lua_fn.c: msys.* and global functions from the function table; the methods of an object, into the
 * table on the top, by its name ("vctx"). */
void lua_fn_open(lua_State *L);
void lua_fn_methods(lua_State *L, const char *prefix, enum lua_object which);
/* Pushes msys.a.b, made if it is not there. */
void lua_namespace(lua_State *L, const char *name);

/* lua_objects.c: ac, vctx, msg. */
void lua_objects_open(struct lua_worker *w);
bool lua_object_is(lua_State *L, int arg, enum lua_object which);
void lua_object_check(lua_State *L, int arg, enum lua_object which); /* raises */

/* lua_boxes.c: values in userdata, ec_string and sockaddr. */
void lua_boxes_open(lua_State *L);
void lua_str_push(lua_State *L, struct slice text, struct slice more);
bool lua_str_get(lua_State *L, int arg, struct slice *out); /* an ec_string */
int lua_sockaddr_push(lua_State *L, const struct addr *addr,
		      uint16_t port);			    /* 0: no address, nothing pushed */
const struct addr *lua_sockaddr_get(lua_State *L, int arg); /* NULL: it is none */
void lua_metatable_hide(lua_State *L);

/* lua_series.c: msys.audit_series.define. */
void lua_series_open(lua_State *L);

/* lua_pbp.c, lua_dumper.c: msys.pbp, msys.dumper. */
void lua_pbp_open(lua_State *L);
void lua_dumper_open(lua_State *L);

/* lua_msys.c: registerModule, msys.core, print, _TLS. */
void lua_msys_open(lua_State *L);

#endif
