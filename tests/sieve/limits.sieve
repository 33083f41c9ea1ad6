# The example of the policy guide: slow down hosts with many sessions here, refuse when the whole
# service has too many of them.
# eval: --phase connect --client-addr 2001:db8::1 --count LISTENER=2001:db8::1=7 --count SMTP=2001:db8::1=39
# want: {"actions":[],"implicit_keep":true,"error":null}
# eval: --phase connect --client-addr 2001:db8::1 --count LISTENER=2001:db8::1=8 --count SMTP=2001:db8::1=39
# want: {"actions":[{"action":"ec_tarpit","seconds":5,"counter":"limit:per-port"}],"implicit_keep":true,"error":null}
# eval: --phase connect --client-addr 2001:db8::1 --count LISTENER=2001:db8::1=8 --count SMTP=2001:db8::1=40
# want: {"actions":[{"action":"ec_disconnect","code":421,"reason":"4.7.0 40 sessions from your host, try later","counter":"limit:cluster"}],"implicit_keep":false,"error":null}
# eval: --phase connect
# want: {"actions":[],"implicit_keep":true,"error":"limits.sieve:12: \"/32\": there is no current peer, and no address was given"}
# exit: 2
($here) = audit_connections_on_listener "/32";
($all) = audit_service "inbound_cidr" "/32";
if ec_test :value "ge" :comparator "i;ascii-numeric" "${all}" "40" {
	ec_disconnect 421 "4.7.0 ${all} sessions from your host, try later" "limit:cluster";
} elsif ec_test :value "ge" :comparator "i;ascii-numeric" "${here}" "8" {
	ec_tarpit 5 "limit:per-port";
}
