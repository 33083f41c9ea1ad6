# Every action, by the sender.
# eval: --phase mailfrom --envelope-from tarpit@example.org
# want: {"actions":[{"action":"ec_tarpit","seconds":0.5,"counter":"slow"},{"action":"ec_tarpit","seconds":2,"counter":null}],"implicit_keep":true,"error":null}
# eval: --phase mailfrom --envelope-from '<action@example.org>'
# want: {"actions":[{"action":"ec_action","code":550,"reason":"5.7.1 not \"you\"","counter":"refused"}],"implicit_keep":false,"error":null}
# eval: --phase mailfrom --envelope-from disconnect@example.org
# want: {"actions":[{"action":"ec_disconnect","code":421,"reason":"4.7.0 later","counter":null}],"implicit_keep":false,"error":null}
# eval: --phase mailfrom --envelope-from bye@example.org
# want: {"actions":[{"action":"ec_disconnect","counter":null}],"implicit_keep":true,"error":null}
# eval: --phase mailfrom --envelope-from keep@example.org
# want: {"actions":[{"action":"keep"}],"implicit_keep":false,"error":null}
# eval: --phase mailfrom --envelope-from because@example.org
# want: {"actions":[{"action":"ec_keep","reason":"I like it"}],"implicit_keep":false,"error":null}
# eval: --phase mailfrom --envelope-from stop@example.org
# want: {"actions":[{"action":"stop"}],"implicit_keep":true,"error":null}
# eval: --phase mailfrom --envelope-from counter@example.org
# want: {"actions":[{"action":"ec_inc_counter","counter":"seen"}],"implicit_keep":true,"error":null}
# eval: --phase mailfrom --envelope-from error@example.org
# want: {"actions":[{"action":"ec_inc_counter","counter":"before"}],"implicit_keep":true,"error":"actions.sieve:43: a reply code is 200 to 299 or 400 to 599"}
# exit: 2
# eval: --phase mailfrom --envelope-from log@example.org
# want: {"actions":[],"implicit_keep":true,"error":null}
# complains: actions.sieve:45: log@example.org
if envelope :localpart "from" "tarpit" {
	ec_tarpit 0.5 "slow";
	ec_tarpit "2";
} elsif envelope :localpart "from" "action" {
	ec_action "550" "5.7.1 not \"you\"" "refused";
} elsif envelope :localpart "from" "disconnect" {
	ec_disconnect 421 "4.7.0 later";
} elsif envelope :localpart "from" "bye" {
	ec_disconnect;
} elsif envelope :localpart "from" "keep" {
	keep;
} elsif envelope :localpart "from" "because" {
	ec_keep "I like it";
} elsif envelope :localpart "from" "stop" {
	stop;
} elsif envelope :localpart "from" "counter" {
	ec_inc_counter "seen";
} elsif envelope :localpart "from" "error" {
	ec_inc_counter "before";
	$code = 999; ec_action $code "no such code";
} elsif envelope :localpart "from" "log" {
	ec_log "%{mailfrom_string}";
}
