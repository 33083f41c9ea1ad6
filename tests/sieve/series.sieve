# Series without a daemon: nothing was ever counted, and what is wrong is told all the same.
# eval: --phase mailfrom --client-addr 192.0.2.7 --envelope-from all@example.org
# want: {"actions":[],"implicit_keep":true,"error":null}
# complains: series.sieve:44: D46 index 0 0 0 string
# complains: series.sieve:48: D54 cluster 0
# complains: series.sieve:55: D53 hash 0 0
# complains: series.sieve:64: D57 named 0 0 0 0
# complains: series.sieve:74: named, hash 0
# complains: series.sieve:77: as a test
# eval: --phase mailfrom --client-addr 2001:db8::7 --envelope-from all@example.org
# want: {"actions":[],"implicit_keep":true,"error":null}
# complains: series.sieve:44: D46 index 0 0 0 string
# complains: series.sieve:48: D54 cluster 0
# complains: series.sieve:55: D53 hash 0 0
# complains: series.sieve:64: D57 named 0 0 0 0
# complains: series.sieve:74: named, hash 0
# complains: series.sieve:77: as a test
# eval: --phase mailfrom --envelope-from all@example.org
# exit: 2
# want: {"actions":[],"implicit_keep":true,"error":"series.sieve:41: there is no current peer, and no address was given"}
# eval: --phase mailfrom --client-addr 192.0.2.7 --envelope-from D44@example.org
# exit: 2
# want: {"actions":[],"implicit_keep":true,"error":"series.sieve:80: period_start of audit_series is 6, expected 0 to 5"}
# eval: --phase mailfrom --client-addr 192.0.2.7 --envelope-from D53@example.org
# exit: 2
# want: {"actions":[],"implicit_keep":true,"error":"series.sieve:83: ec_ip_connections has no option \"masks\""}
# eval: --phase mailfrom --client-addr 192.0.2.7 --envelope-from monitor@example.org
# exit: 2
# want: {"actions":[],"implicit_keep":true,"error":"series.sieve:85: \"often\": a monitor is \"SECONDS,WINDOWS\""}
# eval: --phase mailfrom --client-addr 192.0.2.7 --envelope-from hash@example.org
# exit: 2
# want: {"actions":[],"implicit_keep":true,"error":"series.sieve:88: audit_series_add takes at most 1 argument, not 2"}
# eval: --phase mailfrom --client-addr 192.0.2.7 --envelope-from text@example.org
# exit: 2
# want: {"actions":[],"implicit_keep":true,"error":"series.sieve:91: audit_series takes at least 2 arguments, not 1"}

$h = hash_create;
$often = "often";

if envelope :localpart "from" "all" {
  $a = ec_ip_connections "0";
  $b = ec_ip_receptions 1 "24";
  $c = ec_ip_rejections $a $a;
  $t = type $a; ec_log "D46 index ${a} ${b} ${c} ${t}";
  $a = ec_ip_connections_cluster "0" "24";
  $b = ec_ip_receptions_cluster "0";
  $c = ec_ip_rejections_cluster "0";
  ec_log "D54 cluster ${a}";

  hash_set $h "monitor" " 3600, 24";
  hash_set $h "period_end" 23;
  $a = ec_ip_receptions $h;
  hash_set $h "mask" "0";
  $b = ec_ip_receptions_cluster $h;
  ec_log "D53 hash ${a} ${b}";

  audit_series_add "bad" "600,6";
  audit_series_add "bad" "600,6" "-1";
  audit_series_add :ip "2001:db8::1" "bad" "600,6" 5;
  $a = audit_series "bad" "600,6";
  $b = audit_series "bad" "600,6" "/24";
  $c = audit_series "bad" "600,6" 24 "0" "5";
  $t = audit_series "bad" "600,6" 64 :ip "2001:db8::1";
  ec_log "D57 named ${a} ${b} ${c} ${t}";

  $h = hash_create;
  hash_set $h "series" "bad";
  hash_set $h "monitor" "600,6";
  hash_set $h "ip" "192.0.2.1";
  hash_set $h "count" "2";
  hash_set $h "serialize" 1;
  audit_series_add $h;
  $h = hash_create; hash_set $h "series" "bad"; hash_set $h "monitor" "600,6";
  $a = audit_series $h; ec_log "named, hash ${a}";
}
if allof (envelope :localpart "from" "all", ec_ip_connections :value "ge" :comparator "i;ascii-numeric" "0" "24" "0") {
  ec_log "as a test";
}
if envelope :localpart "from" "D44" {
  $a = audit_series "bad" "600,6" "32" "6";
} elsif envelope :localpart "from" "D53" {
  hash_set $h "masks" "24";
  $a = ec_ip_connections $h;
} elsif envelope :localpart "from" "monitor" {
  $a = audit_series "bad"
    $often;
} elsif envelope :localpart "from" "hash" {
  audit_series_add $h "600,6";
}
if envelope :localpart "from" "text" {
  $a = audit_series $often;
}
