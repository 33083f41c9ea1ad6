-- At MAIL: a network that still holds many sessions pays for each message, unless it is trusted
-- (Context in tidewaiter.conf).
require("msys.core")
require("msys.audit")
require("msys.extended.vctx")

local limits = {}

function limits:validate_mailfrom(str, ac, vctx)
  if vctx:get(msys.core.VCTX_CONN, "trusted") == "yes" then
    return msys.core.VALIDATE_CONT
  end
  local sessions = msys.audit.inbound_session_count("/24", "SMTP")
  if sessions > 30 then
    print("tarpit for " .. sessions .. " sessions from the network of " .. msys.expandMacro("%{spfv1:i}"))
    vctx:tarpit(1)
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("limits", limits)
