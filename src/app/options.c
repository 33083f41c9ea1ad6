#include "app/options.h"

#include "series/series.h"

#define G (1u << SCOPE_TOP)
#define E (1u << SCOPE_ESMTP)
#define L (1u << SCOPE_LISTEN)
#define P (1u << SCOPE_PEER)
#define C (1u << SCOPE_CONTROL)
#define CL (1u << SCOPE_CONTROL_LISTEN)
#define DOMAIN (1u << SCOPE_DOMAIN)
#define HOST (1u << SCOPE_TLS_HOST)
#define AUDIT (1u << SCOPE_AUDIT)
#define SIEVE (1u << SCOPE_SIEVE)
#define SCRIPTLET (1u << SCOPE_SCRIPTLET)
#define SCRIPT (1u << SCOPE_SCRIPT)

const struct scope_row scope_rows[SCOPE_COUNT] = {
	[SCOPE_TOP] = { .name = "top level",
		.about = "What concerns the whole daemon, and what every listener falls back to." },
	[SCOPE_ESMTP] = { .name = "ESMTP_Listener", .within = G, .once = true,
		.about = "Takes mail in. Its sessions are the service `SMTP`." },
	[SCOPE_LISTEN] = { .name = "Listen", .within = E, .title = TITLE_ENDPOINT,
		.about = "One socket that listens: an address and a port, or a path." },
	[SCOPE_PEER] = { .name = "Peer", .within = E | L, .title = TITLE_BLOCK,
		.about = "What is different for clients from this block." },
	[SCOPE_DOMAIN] = { .name = "Domain", .within = G | E | L, .title = TITLE_DOMAIN,
		.about = "The next hop of recipients in this domain; `*.example.org` is its "
			 "sub-domains." },
	[SCOPE_TLS_HOST] = { .name = "TLS_Host", .within = G | E | L, .title = TITLE_DOMAIN,
		.about = "The certificate for clients that ask for this name (SNI); "
			 "`*.example.org` is every name one label longer." },
	[SCOPE_CONTROL] = { .name = "Control_Listener", .within = G, .once = true,
		.about = "Where tidectl connects; without a Listen, at "
			 "`/run/tidewaiter/control.sock`. Its sessions are the service `Control`." },
	[SCOPE_CONTROL_LISTEN] = { .name = "Listen", .within = C, .title = TITLE_ENDPOINT,
		.about = "One Unix socket for tidectl." },
	[SCOPE_AUDIT] = { .name = "inbound_audit", .within = G, .title = TITLE_IGNORED,
		.once = true,
		.about = "Live counts and series for scripts; without it no script may use them." },
	[SCOPE_SIEVE] = { .name = "sieve", .within = G, .title = TITLE_NAME,
		.about = "Policy in Sieve++. Modules run in the order in which they stand." },
	[SCOPE_SCRIPTLET] = { .name = "scriptlet", .within = G, .title = TITLE_NAME, .once = true,
		.about = "Policy in Lua." },
	[SCOPE_SCRIPT] = { .name = "script", .within = SIEVE | SCRIPTLET, .title = TITLE_NAME,
		.about = "One script: in sieve for the phase it is titled with, "
			 "`connect_phase1`; in scriptlet a module of that name." },
	[SCOPE_ALERTING] = { .name = "alerting", .within = G, .title = TITLE_IGNORED,
		.once = true, .idle = true, .about = "Accepted for old configurations." },
};

static const char *const log_formats[] = { "text", "json", NULL };
static const char *const log_levels[] = { "debug", "info", "warning", "error", NULL };
static const char *const verify_modes[] = { "none", "require", NULL };
static const char *const injection_policies[] = { "reject", "ignore", "allow", NULL };
static const char *const hop_tls[] = { "off", "opportunistic", "verify", NULL }; /* enum hop_tls */
static const char *const series_bounds[] = { "low", "high", NULL };
static const char *const reception_units[] = { "message", "recipient", NULL };
static const char *const runtime_errors[] = { "fail", "continue", NULL };

static const char by_design[] = "it is so by design";
static const char by_kernel[] = "the kernel sizes it";

const struct option_row option_rows[OPTION_COUNT] = {
	[OPT_HOSTNAME] = { "Hostname", OPTION_HOSTNAME, G, .absent = "the machine's name",
		.example = "\"edge.example.org\"",
		.about = "The name by which this machine speaks to others." },
	[OPT_STATE_DIR] = { "State_Dir", OPTION_PATH, G, .standard = "/var/lib/tidewaiter",
		.about = "Where the daemon keeps its files." },
	[OPT_USER] = { "User", OPTION_STRING, G, .example = "\"tidewaiter\"",
		.absent = "who started it",
		.about = "Whom the daemon becomes when root has started it; it keeps the right to "
			 "open ports below 1024, and no other. A change needs a restart." },
	[OPT_GROUP] = { "Group", OPTION_STRING, G, .example = "\"tidewaiter\"",
		.absent = "the User's own", .about = "The User's group instead of its own." },
	[OPT_LANDLOCK] = { "Landlock", OPTION_BOOL, G, .standard = "true",
		.about = "Where the kernel can, the daemon reaches only what the configuration "
			 "names: it writes in State_Dir, Maildirs, and the directories of "
			 "Log_File and Unix sockets, and reads in the directories of the "
			 "configuration, of scripts and of certificates, and in what libraries "
			 "read, such as `/etc`. A path elsewhere needs a restart." },
	[OPT_SECCOMP] = { "Seccomp", OPTION_BOOL, G, .standard = "true",
		.about = "Where the kernel can, system calls that the daemon does not use are "
			 "refused, and those of intruders end it." },
	[OPT_WORKERS] = { "Workers", OPTION_INTEGER, G, .least = 1, .most = 256,
		.absent = "one a core", .example = "4",
		.about = "Threads that serve sessions." },
	[OPT_LOG_FORMAT] = { "Log_Format", OPTION_CHOICE, G, .standard = "text",
		.choices = log_formats,
		.about = "Log lines for people, or JSON objects for programs." },
	[OPT_LOG_LEVEL] = { "Log_Level", OPTION_CHOICE, G, .standard = "info",
		.choices = log_levels,
		.about = "The least that is logged. What becomes of sessions and mails "
			 "is `info`." },
	[OPT_LOG_FILE] = { "Log_File", OPTION_PATH, G,
		.example = "\"/var/log/tidewaiter/tidewaiter.log\"", .absent = "standard error",
		.about = "Where log lines go. SIGUSR1 opens it anew." },
	[OPT_DRAIN_TIMEOUT] = { "Drain_Timeout", OPTION_SECONDS, G, .standard = "30",
		.about = "How long sessions may go on after the daemon was told to stop." },
	[OPT_MAX_TARPITTED] = { "Max_Tarpitted", OPTION_INTEGER, G, .least = 1, .most = 1 << 30,
		.unit = "sessions", .example = "10000", .absent = "half of the descriptors",
		.about = "Most sessions that policy holds back at a time. When there are more, "
			 "the oldest are let go with 421." },

	[OPT_GATEWAY] = { "Gateway", OPTION_HOP, G | E | L | DOMAIN,
		.example = "\"maildir:/var/lib/tidewaiter/mail\"", .shipped = true,
		.absent = "Routes or Domain scopes must say it",
		.about = "The next hop: `host`, `host:port`, `[v6]:port`, or `maildir:PATH`." },
	[OPT_ROUTES] = { "Routes", OPTION_HOPS, G | E | L | DOMAIN,
		.example = "( \"smtp://mx1.example.org?pref=10\" "
			   "\"smtp://mx2.example.org?pref=20&port=2525\" )",
		.absent = "Gateway says it",
		.about = "Several next hops instead of one Gateway. The lowest `pref` is tried "
			 "first, and of the same the first in the list; the others when it is not "
			 "there, those of the same also when its connections are all in use." },
	[OPT_PROHIBITED_HOSTS] = { "Prohibited_Hosts", OPTION_BLOCKS, G | E | L,
		.example = "( \"192.0.2.0/24\" )", .absent = "every address may be dialled",
		.about = "Addresses that are never dialled as a next hop." },
	[OPT_MAX_GATEWAY_CONNECTIONS] = { "Max_Gateway_Connections", OPTION_INTEGER,
		G | E | L | DOMAIN, .standard = "100", .most = 65535, .unit = "connections",
		.about = "Most connections to one address of a next hop at a time, shared out "
			 "among the workers, each of which may have one. 0 is no limit." },
	[OPT_GATEWAY_REUSE_LIMIT] = { "Gateway_Reuse_Limit", OPTION_INTEGER, G | E | L | DOMAIN,
		.standard = "100", .most = UINT32_MAX, .unit = "transactions",
		.about = "After so many transactions a connection to a next hop is closed. 0 is "
			 "never." },
	[OPT_GATEWAY_IDLE_TIME] = { "Gateway_Idle_Time", OPTION_SECONDS, G | E | L | DOMAIN,
		.standard = "5",
		.about = "A connection to a next hop is kept so long for the next transaction. 0 "
			 "is not at all." },
	[OPT_GATEWAY_RETRY_TIME] = { "Gateway_Retry_Time", OPTION_SECONDS, G | E | L | DOMAIN,
		.standard = "60",
		.about = "A next hop that is not there is left alone for a second, then twice as "
			 "long each time, and so long at most. 0 is not at all." },
	[OPT_GATEWAY_XCLIENT] = { "Gateway_XCLIENT", OPTION_BOOL, G | E | L | DOMAIN,
		.standard = "true",
		.about = "A next hop that offers XCLIENT is told who the client is." },
	[OPT_GATEWAY_PROXY_PROTOCOL] = { "Gateway_Proxy_Protocol", OPTION_BOOL,
		G | E | L | DOMAIN, .standard = "false",
		.about = "The next hop is told who the client is by a PROXY header, version 2, "
			 "instead of XCLIENT." },
	[OPT_GATEWAY_TLS] = { "Gateway_TLS", OPTION_CHOICE, G | E | L | DOMAIN,
		.standard = "opportunistic", .choices = hop_tls,
		.about = "`opportunistic`: STARTTLS with a next hop that offers it, whatever its "
			 "certificate; in the clear where that fails. `verify`: no mail without "
			 "TLS and a certificate that is good for the next hop's name, or for its "
			 "mail exchanger's. `off`: never." },
	[OPT_GATEWAY_TLS_CA] = { "Gateway_TLS_CA", OPTION_PATH, G | E | L | DOMAIN,
		.example = "\"/etc/tidewaiter/tls/hops.pem\"", .absent = "the system's",
		.about = "The CAs, in PEM, that certificates of next hops are verified by, with "
			 "`Gateway_TLS = verify`. Read again at every reload." },
	[OPT_RELAY_DOMAINS] = { "Relay_Domains", OPTION_DOMAINS, G | E | L | P,
		.example = "( \"example.org\" \"*.example.org\" )", .shipped = true,
		.absent = "none",
		.about = "Domains for which mail is taken from anybody; `*.` means the "
			 "sub-domains." },
	[OPT_RELAY_HOSTS] = { "Relay_Hosts", OPTION_BLOCKS, G | E | L | P,
		.example = "( \"127.0.0.1\" \"2001:db8:5::/48\" )", .absent = "none",
		.about = "Clients that may send to any domain." },
	[OPT_OPEN_RELAY] = { "Open_Relay", OPTION_BOOL, E | L | P, .standard = "false",
		.about = "Any client may send to any domain." },

	[OPT_ENABLE] = { "Enable", OPTION_BOOL, E | L | C | CL, .standard = "true",
		.about = "Whether to listen there at all." },
	[OPT_LISTEN_BACKLOG] = { "Listen_Backlog", OPTION_INTEGER, E | L | C | CL,
		.standard = "500", .least = 1, .most = 65535, .unit = "connections",
		.about = "How many connections may wait to be accepted." },
	[OPT_FILE_MODE] = { "File_Mode", OPTION_MODE, E | L | C | CL, .standard = "0660",
		.most = 0777, .about = "Permissions of a Unix socket." },
	[OPT_LISTENER_SESSIONS] = { "Listener_Sessions", OPTION_INTEGER, E | L | P,
		.standard = "0", .most = UINT32_MAX, .unit = "sessions",
		.about = "Most sessions at a time: of the listener, of one Listen, or of a "
			 "Peer's block; each such cap around a session holds. 0 is no cap." },
	[OPT_SERVICE_SESSIONS] = { "Service_Sessions", OPTION_INTEGER, E | L | P, .standard = "0",
		.most = UINT32_MAX, .unit = "sessions",
		.about = "Most sessions of the whole service; in a Peer, of its block. 0 is no "
			 "cap." },
	[OPT_IDLE_TIME] = { "Idle_Time", OPTION_SECONDS, E | L | P, .standard = "0",
		.example = "300", .shipped = true,
		.about = "A client that says nothing for so long is sent away. 0 is never." },
	[OPT_COMMAND_TIMEOUT] = { "Command_Timeout", OPTION_SECONDS, E | L | P, .standard = "300",
		.about = "The longest a client may take for one command, or between two pieces "
			 "of a message." },
	[OPT_TRANSACTION_TIMEOUT] = { "Transaction_Timeout", OPTION_SECONDS, E | L | P,
		.standard = "1800", .about = "The longest from MAIL to the end of the message." },
	[OPT_BANNER_DELAY] = { "Banner_Delay", OPTION_SECONDS, E | L | P, .standard = "0",
		.about = "The banner is held back so long, to catch who talks first." },
	[OPT_MAX_ERRORS] = { "Max_Errors", OPTION_INTEGER, E | L | P, .standard = "20",
		.most = UINT32_MAX, .unit = "commands",
		.about = "After so many wrong commands the session is closed. 0 is never." },
	[OPT_MAX_UNPRODUCTIVE_COMMANDS] = { "Max_Unproductive_Commands", OPTION_INTEGER,
		E | L | P, .standard = "100", .most = UINT32_MAX, .unit = "commands",
		.about = "After so many commands that bring no mail nearer the session is "
			 "closed. 0 is never." },
	[OPT_MAX_MESSAGE_SIZE] = { "Max_Message_Size", OPTION_SIZE, E | L | P, .standard = "0",
		.unit = "octets", .about = "The largest message taken. 0 is any." },
	[OPT_MESSAGE_MEMORY] = { "Message_Memory", OPTION_SIZE, G | E, .standard = "256K",
		.least = 4096, .most = 1 << 30, .unit = "octets",
		.about = "What of a message is kept in memory; the rest goes to a file." },
	[OPT_MAX_RECIPIENTS_PER_MESSAGE] = { "Max_Recipients_Per_Message", OPTION_INTEGER,
		E | L | P, .standard = "0", .most = UINT32_MAX, .unit = "recipients",
		.about = "Further ones are put off with 452. 0 is no limit." },
	[OPT_MAX_RECIPIENTS_PER_CONNECTION] = { "Max_Recipients_Per_Connection", OPTION_INTEGER,
		G | E | L | P, .standard = "0", .most = UINT32_MAX, .unit = "recipients",
		.about = "Of all messages of a session; further ones are put off with 452. 0 is "
			 "no limit." },
	[OPT_MAX_RECEPTIONS_PER_CONNECTION] = { "Max_Receptions_Per_Connection", OPTION_INTEGER,
		G | E | L | P, .standard = "0", .most = UINT32_MAX, .unit = "messages",
		.about = "After so many messages the session is closed with 421. 0 is no limit." },
	[OPT_BANNER_HOSTNAME] = { "Banner_Hostname", OPTION_HOSTNAME, E | L | P,
		.example = "\"mx.example.org\"", .absent = "Hostname",
		.about = "The name in the banner." },
	[OPT_STATIC_BANNER] = { "Static_Banner", OPTION_STRING, E | L | P,
		.example = "\"220 mx.example.org ESMTP\"", .absent = "ours",
		.about = "The whole banner; begins with 220." },
	[OPT_RECEIVED_HOSTNAME] = { "Received_Hostname", OPTION_HOSTNAME, E | L | P,
		.example = "\"mx.example.org\"", .absent = "Hostname",
		.about = "The name in Received header lines." },
	[OPT_REQUIRE_EHLO] = { "Require_EHLO", OPTION_BOOL, G | E | L | P, .standard = "false",
		.about = "MAIL is refused before HELO or EHLO." },
	[OPT_CONTEXT] = { "Context", OPTION_CONTEXT, E | L | P,
		.example = "[ trusted = \"yes\" ]", .absent = "empty",
		.about = "What the connection context holds from the start." },

	[OPT_USE_SSL] = { "Use_SSL", OPTION_BOOL, E | L | P, .standard = "false",
		.about = "TLS from the first octet, instead of by STARTTLS." },
	[OPT_TLS_CERTIFICATE] = { "TLS_Certificate", OPTION_PATH, G | E | L | P | HOST,
		.example = "\"/etc/tidewaiter/tls/mx.pem\"", .absent = "TLS is not offered",
		.about = "The certificate and those that vouch for it, in PEM, the own one first. "
			 "With it TLS is offered. Read again at every reload." },
	[OPT_TLS_KEY] = { "TLS_Key", OPTION_PATH, G | E | L | P | HOST,
		.example = "\"/etc/tidewaiter/tls/mx.key\"",
		.absent = "the file of TLS_Certificate",
		.about = "The certificate's private key, in PEM, without a password." },
	[OPT_TLS_CLIENT_CA] = { "TLS_Client_CA", OPTION_PATH, G | E | L | P,
		.example = "\"/etc/tidewaiter/tls/partners.pem\"",
		.absent = "clients are not asked for a certificate",
		.about = "Clients are asked for a certificate, which is verified by these CAs. "
			 "What comes of it is told to policy and to the log." },
	[OPT_TLS_PROTOCOLS] = { "TLS_Protocols", OPTION_STRING, G | E | L | P, .standard = "+ALL",
		.example = "\"+ALL:-TLSv1.0:-TLSv1.1\"",
		.about = "Versions of TLS, of those that the machine's OpenSSL allows." },
	[OPT_TLS_CIPHERS] = { "TLS_Ciphers", OPTION_STRING, G | E | L | P,
		.example = "\"ECDHE+AESGCM:ECDHE+CHACHA20\"", .absent = "OpenSSL's choice",
		.about = "OpenSSL cipher list, for versions before TLSv1.3." },
	[OPT_TLS_VERIFY_MODE] = { "TLS_Verify_Mode", OPTION_CHOICE, E | L | P,
		.choices = verify_modes, .example = "require",
		.absent = "what clients show is verified",
		.about = "`none`: clients are not asked for a certificate. `require`: MAIL is "
			 "refused to whoever has not shown a good one. No failure ends a session "
			 "by itself." },
	[OPT_TLS_VERIFIED_PEER_CAN_RELAY] = { "TLS_Verified_Peer_Can_Relay", OPTION_BOOL, E | L | P,
		.standard = "false",
		.about = "Clients with a good certificate may send to any domain." },
	[OPT_STARTTLS_INJECTION_POLICY] = { "StartTLS_Injection_Policy", OPTION_CHOICE, E | L | P,
		.standard = "reject", .choices = injection_policies,
		.about = "What comes behind STARTTLS in the clear: `reject` answers 503, logs it, "
			 "and closes; `ignore` and `allow` drop it. It is never acted on." },

	[OPT_SMTP_EXTENSIONS] = { "SMTP_Extensions", OPTION_EXTENSIONS, E | L | P,
		.example = "( \"XCLIENT\" \"XREMOTEIP\" )", .absent = "`XCLIENT` only",
		.about = "What is offered to XClient_Hosts, and to nobody else: `XCLIENT`, "
			 "`XREMOTEIP`, `XSETCONTEXT`, `XDUMPCONTEXT`. `ENHANCEDSTATUSCODES` may "
			 "stand here; it is offered always." },
	[OPT_XCLIENT_HOSTS] = { "XClient_Hosts", OPTION_BLOCKS, E | L,
		.example = "( \"192.0.2.10\" )", .absent = "none",
		.about = "Who may speak for other clients with XCLIENT. A session that has become "
			 "another client's may do so again only if that client is one of them." },
	[OPT_PROXY_PROTOCOL] = { "Proxy_Protocol", OPTION_BOOL, E | L, .standard = "false",
		.about = "Every connection begins with a PROXY header, version 1 or 2, that "
			 "tells the client's address. Without a good one it is closed." },
	[OPT_PROXY_PROTOCOL_TIMEOUT] = { "Proxy_Protocol_Timeout", OPTION_SECONDS, E | L,
		.standard = "60",
		.about = "The whole PROXY header must have come within so long. 0 is no limit of "
			 "its own." },
	[OPT_PROXY_HOSTS] = { "Proxy_Hosts", OPTION_BLOCKS, E | L,
		.example = "( \"192.0.2.10\" )", .absent = "none",
		.about = "Whose PROXY headers are believed; with Proxy_Protocol nobody else may "
			 "connect." },

	[OPT_TIMEOUT] = { "Timeout", OPTION_SECONDS, C | CL, .standard = "60",
		.about = "An idle console connection is closed after so long. 0 is never." },

	[OPT_MONITORS] = { "monitors", OPTION_MONITORS, AUDIT,
		.example = "( \"900,4\" )", .absent = "none", .shipped = true,
		.about = "\"SECONDS,WINDOWS\": connections, receptions and rejections are counted "
			 "in windows of so many seconds, the current one and so many before it." },
	[OPT_MAX_BYTES] = { "max_bytes", OPTION_SIZE, AUDIT, .standard = "64M",
		.least = SERIES_BYTES_MIN, .most = STORE_LIMIT_MAX, .unit = "octets",
		.about = "Most memory of a series, all its windows together. What does not fit is "
			 "folded: addresses with little are added up in their blocks. A change "
			 "reaches the series of monitors with a restart." },
	[OPT_SERIES_BOUND] = { "series_bound", OPTION_CHOICE, AUDIT, .standard = "low",
		.choices = series_bounds,
		.about = "Where a series was folded, scripts are told the least or the most that it "
			 "may have been." },
	[OPT_RECEPTION_UNIT] = { "reception_unit", OPTION_CHOICE, AUDIT, .standard = "message",
		.choices = reception_units,
		.about = "What counts as a reception: an accepted message, or each of its accepted "
			 "recipients." },
	[OPT_PERSIST] = { "persist", OPTION_BOOL, AUDIT, .standard = "true",
		.about = "Whether the series of monitors are saved and outlive a restart; others say "
			 "so themselves." },
	[OPT_SERIALIZE_DIR] = { "serialize_dir", OPTION_PATH, AUDIT,
		.example = "\"/var/lib/tidewaiter/series\"", .absent = "`series` in State_Dir",
		.about = "Where series are saved: at the end, and every maintenance_interval." },
	[OPT_LOG_DIR] = { "log_dir", OPTION_PATH, AUDIT,
		.example = "\"/var/lib/tidewaiter/journal\"", .absent = "`journal` in State_Dir",
		.about = "Where each finished window of a series with `serialize` is written." },
	[OPT_JOURNAL_DAYS] = { "journal_days", OPTION_INTEGER, AUDIT, .standard = "30",
		.most = 36500, .unit = "days",
		.about = "Files in log_dir that are older are removed. 0 is never." },
	[OPT_MAINTENANCE_INTERVAL] = { "maintenance_interval", OPTION_SECONDS, AUDIT,
		.standard = "300", .least = 1000,
		.about = "How often series are saved, and old windows and files dropped." },
	[OPT_IPV6_MASK_MAP] = { "ipv6_mask_map", OPTION_MASKS, AUDIT, .example = "( \"24=64\" )",
		.absent = "masks are taken as written", .shipped = true,
		.about = "\"FROM=TO\": a script's mask FROM means TO where the peer is IPv6." },
	[OPT_MAX_TARPIT] = { "max_tarpit", OPTION_SECONDS, AUDIT, .standard = "3600",
		.about = "The longest that policy may hold back one answer." },
	[OPT_STRICT_SERVICES] = { "strict_services", OPTION_BOOL, AUDIT, .standard = "false",
		.about = "Scripts that ask for a service that is not active fail." },

	[OPT_RUNTIME_ERROR] = { "runtime_error", OPTION_CHOICE, SIEVE, .standard = "fail",
		.choices = runtime_errors,
		.about = "A script with a run-time error ends in 421, or goes on." },
	[OPT_STRICT_REQUIRE] = { "strict_require", OPTION_BOOL, SIEVE, .standard = "false",
		.about = "An unknown name in `require` is an error." },
	[OPT_STUB_UNAVAILABLE] = { "stub_unavailable", OPTION_BOOL, SIEVE, .standard = "false",
		.about = "Functions that this build lacks do nothing instead of being an error." },
	[OPT_CACHE_SIZE] = { "cache_size", OPTION_INTEGER, SIEVE, .standard = "200", .least = 1,
		.most = 100000, .unit = "scripts", .about = "How many included scripts are kept." },
	[OPT_CACHE_LIFE] = { "cache_life", OPTION_SECONDS, SIEVE, .standard = "260",
		.about = "After so long an included script is read again." },
	[OPT_ENABLED] = { "enabled", OPTION_BOOL, SIEVE | SCRIPTLET, .standard = "true",
		.about = "Whether its scripts run." },
	[OPT_SCRIPT_TTL] = { "script_ttl", OPTION_SECONDS, SCRIPTLET, .standard = "300",
		.idle = "scripts are read again on reload" },
	[OPT_SOURCE] = { "source", OPTION_PATH, SCRIPT, .example = "\"connect.sieve\"",
		.absent = "must be there", .about = "The script's file; of Lua without `.lua`." },
	[OPT_OBSERVE] = { "observe", OPTION_BOOL, SCRIPT, .standard = "false",
		.about = "What the script would do is logged and not done." },

	[OPT_RECONFIG_MESSAGE] = { "Reconfig_Message", OPTION_STRING, E,
		.idle = "a reload disturbs no session" },
	[OPT_TLS_ALLOW_RENEGOTIATION] = { "TLS_Allow_Renegotiation", OPTION_BOOL, E | L | P,
		.idle = "TLS is never negotiated anew" },
	[OPT_DISABLE_NAGLE_ALGORITHM] = { "Disable_Nagle_Algorithm", OPTION_BOOL,
		G | E | L | C | CL, .idle = by_design },
	[OPT_ACCEPT_QUEUE_BACKLOG] = { "Accept_Queue_Backlog", OPTION_INTEGER, E | L | C | CL,
		.most = UINT32_MAX, .idle = "every worker accepts for itself" },
	[OPT_TCP_RECV_BUFFER_SIZE] = { "TCP_Recv_Buffer_Size", OPTION_SIZE, E | L | C | CL,
		.idle = by_kernel },
	[OPT_TCP_SEND_BUFFER_SIZE] = { "TCP_Send_Buffer_Size", OPTION_SIZE, E | L | C | CL,
		.idle = by_kernel },
};

static const char not_yet[] = "is not available yet";
static const char never[] = "is not available in Tidewaiter";

const struct absent_row absent_scopes[] = {
	{ "ECStream_Listener", not_yet },
	{ "HTTP_Listener", not_yet },
	{ "ECCluster_Listener", not_yet },
	{ "Msgcserver_Listener", never },
	{ "XMPP_Listener", never },
	{ "cluster", not_yet },
	{ "Replicate", not_yet },
	{ "as_logger", never },
	{ "hook", never },
	{ "Pathway", never },
	{ "Pathway_Group", never },
	{ "datasource", never },
	{ "ThreadPool", never },
	{ NULL, NULL },
};

const struct absent_row absent_options[] = {
	{ "Enable_Authentication", not_yet },
	{ "Always_Allow", not_yet },
	{ "Always_Deny", not_yet },
	{ "Relay_For_Sending_Domains", not_yet },
	{ "Allow_Null_Envelope_Sender", not_yet },
	{ "Allow_IP_Literal", not_yet },
	{ "Allow_Trailing_Whitespace_In_Commands", not_yet },
	{ "Domain_For_Unqualified_Sender_Address", not_yet },
	{ "Domain_For_Unqualified_Recipient_Addresses", not_yet },
	{ "Inbound_Throttle_Messages", not_yet },
	{ "Use_IPv6", not_yet },
	{ "ECStream_Idle_Time", not_yet },
	{ "ECStream_Max_Batch_Size", not_yet },
	{ "max_items", "is not available, a series is limited by max_bytes" },
	{ "siv_throttle_cache_size", not_yet },
	{ "async", never },
	{ "pool", never },
	{ "Concurrency", never },
	{ "Pool_Name", never },
	{ "Events_Per_Iter", never },
	{ "Event_Loop", never },
	{ "Pathway", never },
	{ "Enable_Duravip", never },
	{ "Duravip_Preference", never },
	{ "Duravip_Follow", never },
	{ NULL, NULL },
};

const char *option_type_name(enum option_type type)
{
	static const char *const names[] = {
		[OPTION_BOOL] = "boolean",	 [OPTION_INTEGER] = "whole number",
		[OPTION_SIZE] = "size",		 [OPTION_SECONDS] = "time",
		[OPTION_MODE] = "octal number",	 [OPTION_CHOICE] = "word",
		[OPTION_STRING] = "string",	 [OPTION_HOSTNAME] = "host name",
		[OPTION_PATH] = "path",		 [OPTION_BLOCKS] = "list of addresses and blocks",
		[OPTION_DOMAINS] = "list of domains", [OPTION_CONTEXT] = "dictionary",
		[OPTION_HOP] = "next hop",	 [OPTION_HOPS] = "list of next hops",
		[OPTION_MASKS] = "list of FROM=TO", [OPTION_MONITORS] = "list of SECONDS,WINDOWS",
		[OPTION_EXTENSIONS] = "list of extensions",
	};

	return names[type];
}
