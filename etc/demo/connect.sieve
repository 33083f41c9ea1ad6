# At connect: slow down a network that holds many sessions, refuse one that holds far too many.
# Every count includes this session. The two tarpits add up when both limits are passed.
($host) = audit_connections_on_service "/32";
($net)  = audit_connections_on_service "/24";

if ec_test :value "gt" :comparator "i;ascii-numeric" "${net}" "60" {
  ec_disconnect 421 "4.7.0 ${net} sessions from your network, try later" "limit:network";
}
if ec_test :value "gt" :comparator "i;ascii-numeric" "${net}" "20" {
  ec_tarpit 3 "slow:network";
}
if ec_test :value "gt" :comparator "i;ascii-numeric" "${host}" "10" {
  ec_tarpit 2 "slow:host";
}
