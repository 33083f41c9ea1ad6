-- limits - what one host and one network may do: sessions at once, and events in an hour.
--
-- Ships in observe mode: it logs what it would have done and does nothing. Watch it for a week
-- (`tidectl stats`, `tidectl why ADDRESS`, "observe:" in the log), set the numbers, and only then
-- take `observe` away. The sample of tidewaiter.conf has it:
--
--   inbound_audit { monitors = ( "900,4" ) ipv6_mask_map = ( "24=64" ) }
--   scriptlet "scriptlet" { script "limits" { source = "policy/limits" observe = true } }
--
-- An IPv6 host is its address ("/32"), its network, by ipv6_mask_map, its /64 ("/24").
-- Who is not to be limited gets a context from the configuration, in the Listen or the listener:
--
--   Peer "192.0.2.0/24" { Context = [ trusted = "yes" ] }
require("msys.core")
require("msys.extended.vctx")
require("msys.audit")

-- Sessions at once, this one included. The first row that is exceeded answers.
local concurrent = {
  { block = "/0",  most = 20000, everybody = true, text = "connection limit exceeded" },
  { block = "/32", most = 10, text = "connection limit exceeded" },
  { block = "/24", most = 100, text = "connection limit exceeded" },
}

-- Events in the last hour: the current quarter and the three before it.
local monitor = "900,4"
local rates = {
  connect = {
    { event = "connections", block = "/32", most = 100,  text = "connection rate limit exceeded" },
    { event = "connections", block = "/24", most = 1000, text = "connection rate limit exceeded" },
  },
  mailfrom = {
    { event = "receptions",  block = "/32", most = 200,  text = "message rate limit exceeded" },
    { event = "receptions",  block = "/24", most = 2000, text = "message rate limit exceeded" },
  },
  -- Unknown recipients, above all: who guesses addresses is refused a lot. What is refused here
  -- counts as well, so who goes on all the same stays out.
  rcptto = {
    { event = "rejections",  block = "/32", most = 50,   text = "rejection limit exceeded" },
    { event = "rejections",  block = "/24", most = 500,  text = "rejection limit exceeded" },
  },
}

local limits = {}

local function trusted(vctx)
  return vctx:get(msys.core.VCTX_CONN, "trusted") == "yes"
end

local function first_exceeded(rows, value_of, is_trusted)
  for _, row in ipairs(rows) do
    if (row.everybody or not is_trusted) and value_of(row) > row.most then
      return row
    end
  end
end

local function sessions(row)
  return msys.audit.inbound_session_count(row.block, "SMTP")
end

local function events(row)
  return msys.audit[row.event](monitor, { cidr = row.block, startv = 0, endv = 3 })
end

-- Sends away who exceeds a row.
local function send_away(vctx, row)
  if not row then
    return msys.core.VALIDATE_CONT
  end
  vctx:disconnect(421, "4.7.0 " .. row.text)
  return msys.core.VALIDATE_DONE
end

-- A connection is in its series before this runs, so one that is refused counts as well.
function limits:validate_connect(ac, vctx)
  local known = trusted(vctx)
  return send_away(vctx, first_exceeded(concurrent, sessions, known) or first_exceeded(rates.connect, events, known))
end

function limits:validate_mailfrom(str, ac, vctx)
  return send_away(vctx, first_exceeded(rates.mailfrom, events, trusted(vctx)))
end

function limits:validate_rcptto(msg, str, ac, vctx)
  local row = first_exceeded(rates.rcptto, events, trusted(vctx))
  if row then
    vctx:set_code(451, "4.7.0 " .. row.text)
    return msys.core.VALIDATE_DONE
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("limits", limits)
