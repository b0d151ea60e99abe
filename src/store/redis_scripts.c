/* store/redis_scripts.c: what the Redis server runs, each script in one step that nothing comes between.
 *
 *   {gh}:id           of the store: made by whoever opened it first; when it is gone, so is what stood here
 *   {gh}:sequence     the last version or position given; neither is ever used again
 *   {gh}:histories    lines of a server's history and the sequence that it began at, the newest last
 *   {gh}:log          a stream of the revocations of all tenants: entry POSITION-0 has a, u and l:
 * appended_ms, until, line. One stream and not one a tenant, because the port's positions are one order. It
 * is made with the store and never goes: where it is missing, it was thrown away
 *   {gh}:until        sorted set: positions of entries that end, by when
 *   {gh}:expiry       sorted set: tenant + key of rows that expire, by when
 *   {gh:TENANT}:row:KEY   "version:expires:value"; also has a time to live, so that it goes without us
 *   {gh:TENANT}:keys      sorted set of the tenant's keys, in their order
 *   {gh:TENANT}:KEY       of a rate limit: "SLOT:TAKEN " for each slot, in their order; with a time to live
 *
 * TENANT is a SHA-256, and KEY has each byte but letters, digits, '_', '-' and '/' as %XX, so nothing that
 * came from outside shapes a name (threats.md X4). The names of a tenant share a slot of a Redis Cluster; the
 * log does not share it with them, and so a Cluster is refused.
 *
 * Redis undoes nothing of a script that fails in its middle. What it refuses for want of memory (commits
 * alone: others free some, or need none), of a disk or of replicas, or as a replica, it refuses before the
 * first line, as the head of each script asks; GH_REDIS_SET_UP tries each command once, so that rights that
 * are missing are known at the start. */
#include "store/store_redis.h"

/* KEYS[1] is a tenant's "{gh:TENANT}", or "{gh}". ARGV[1] is the store's id and the history that the
 * caller knows as the last one ("moved": another has begun), ARGV[2] the highest sequence that it knows of: a
 * server that stands behind it has forgotten something. Numbers of Lua are exact below 2^53: positions begin
 * with the microseconds of the store's first day, 2^51. */
#define HEAD(more)                                                                                           \
    "#!lua flags=no-cluster" more "\n"                                                                       \
    "local tenant, at = KEYS[1], 2\n"                                                                        \
    "local function arg() at = at + 1; return ARGV[at] end\n"                                                \
    "local function digits(number) return string.format('%.0f', number) end\n"                               \
    "local function hex(c) return string.format('%%%02X', string.byte(c)) end\n"                             \
    "local function row_of(owner, key)\n"                                                                    \
    "  return owner .. ':row:' .. string.gsub(key, '[^A-Za-z0-9/_-]', hex)\n"                                \
    "end\n"

#define SAME_STORE                                                                                           \
    "local sequence = tonumber(redis.call('GET', '{gh}:sequence'))\n"                                        \
    "if redis.call('GET', '{gh}:id') ~= string.sub(ARGV[1], 1, 32) or not sequence\n"                        \
    "  or redis.call('EXISTS', '{gh}:log') == 0 then return 'other' end\n"                                   \
    "local histories = redis.call('GET', '{gh}:histories') or ''\n"                                          \
    "if string.match(histories, '(%x+) %d+\\n$') ~= string.sub(ARGV[1], 33) then return 'moved' end\n"       \
    "if sequence < tonumber(ARGV[2]) then return 'back' end\n"

/* Its version; nil when it counts as absent, false when it cannot be read. */
#define VERSION                                                                                              \
    "local now = tonumber(arg())\n"                                                                          \
    "local function version_of(text)\n"                                                                      \
    "  if not text then return nil end\n"                                                                    \
    "  local version, expires = string.match(text, '^(%d+):(%-?%d+):')\n"                                    \
    "  if not version then return false end\n"                                                               \
    "  if expires ~= '0' and tonumber(expires) <= now then return nil end\n"                                 \
    "  return version\n"                                                                                     \
    "end\n"

/* clang-format off */
static const gh_str scripts[GH_REDIS_SCRIPTS] = {
    /* ARGV[1]: the id if it is to be made, ARGV[2]: the one that is known, or empty; ARGV[3]: the server's
     * history, ARGV[4]: the one that is known, or empty. Answers id, sequence, and the sequence at which the
     * known history ended; or "other"; or "moved": another history has begun meanwhile; or "back": it does not
     * have the known one. The call may have been on its way for long: a history that is over is not added, for
     * the last one is what all others are held to. */
    [GH_REDIS_SET_UP] = GH_STR_INIT(HEAD(",allow-oom")
        "local trial = '{gh}:trial'\n"
        "redis.call('DEL', trial)\n"
        "redis.call('SET', trial, '1', 'EXAT', 4102444800)\n"
        "redis.call('INCRBY', trial, 1)\n"
        "redis.call('DEL', trial)\n"
        "redis.call('ZADD', trial, 0, 'a')\n"
        "redis.call('ZRANGEBYLEX', trial, '-', '+', 'LIMIT', 0, 1)\n"
        "redis.call('ZRANGEBYSCORE', trial, '-inf', 0, 'LIMIT', 0, 1)\n"
        "redis.call('ZREM', trial, 'a')\n"
        "redis.call('XADD', trial, '1-0', 'a', '')\n"
        "redis.call('XRANGE', trial, '-', '+', 'COUNT', 1)\n"
        "redis.call('XDEL', trial, '1-0')\n"
        "redis.call('DEL', trial)\n"
        "local id, sequence = redis.call('GET', '{gh}:id'), redis.call('GET', '{gh}:sequence')\n"
        "if ARGV[2] ~= '' and (ARGV[2] ~= id or not sequence) then return 'other' end\n"
        "if not id ~= not sequence then return 'other' end\n"
        "if not id then\n"
        "  if redis.call('EXISTS', '{gh}:log', '{gh}:until', '{gh}:expiry') > 0 then return 'other' end\n"
        "  local time = redis.call('TIME')\n"
        "  id, sequence = ARGV[1], digits(tonumber(time[1]) * 1000000 + tonumber(time[2]))\n"
        "  redis.call('SET', '{gh}:id', id)\n"
        "  redis.call('SET', '{gh}:sequence', sequence)\n"
        "  redis.call('XADD', '{gh}:log', '1-0', 'a', '')\n"
        "  redis.call('XDEL', '{gh}:log', '1-0')\n"
        "end\n"
        "if redis.call('EXISTS', '{gh}:log') == 0 then return 'other' end\n"
        "local histories = redis.call('GET', '{gh}:histories') or ''\n"
        "local base = sequence\n"
        "if string.match(histories, '(%x+) %d+\\n$') ~= ARGV[3] then\n"
        "  local server = redis.call('INFO', 'replication')\n"
        "  if not string.find(server, 'master_replid:' .. ARGV[3], 1, true) then return 'moved' end\n"
        "  if string.find(histories, ARGV[3], 1, true) then return 'moved' end\n"
        "  histories = histories .. ARGV[3] .. ' ' .. sequence .. '\\n'\n"
        "  if #histories > 4000 then histories = string.match(histories, '\\n(.*)', 2000) end\n"
        "  redis.call('SET', '{gh}:histories', histories)\n"
        "  sequence = digits(redis.call('INCRBY', '{gh}:sequence', 1048576))\n"
        "end\n"
        "if ARGV[4] ~= '' and ARGV[4] ~= ARGV[3] then\n"
        "  base = string.match(histories, ARGV[4] .. ' %d+\\n%x+ (%d+)\\n')\n"
        "end\n"
        "return base and { id, sequence, base } or 'back'\n"),

    /* now, keys. Answers a text for each, or nil. */
    [GH_REDIS_READ] = GH_STR_INIT(HEAD(",allow-oom") SAME_STORE VERSION
        "local rows = {}\n"
        "while at < #ARGV do\n"
        "  local text = redis.call('GET', row_of(tenant, arg()))\n"
        "  rows[#rows + 1] = version_of(text) ~= nil and text\n"
        "end\n"
        "return rows\n"),

    /* now, the range of keys from and to, how many. Answers key and text in turn. What has expired is passed
     * over, and so more keys may be looked at than are wanted. */
    [GH_REDIS_LIST] = GH_STR_INIT(HEAD(",allow-oom") SAME_STORE VERSION
        "local from, to, limit, rows = arg(), arg(), tonumber(arg()), {}\n"
        "while #rows < 2 * limit do\n"
        "  local keys = redis.call('ZRANGEBYLEX', tenant .. ':keys', from, to, 'LIMIT', 0, limit)\n"
        "  for _, key in ipairs(keys) do\n"
        "    local text = redis.call('GET', row_of(tenant, key))\n"
        "    if #rows < 2 * limit and version_of(text) ~= nil then\n"
        "      rows[#rows + 1], rows[#rows + 2] = key, text\n"
        "    end\n"
        "    from = '(' .. key\n"
        "  end\n"
        "  if #keys < limit then break end\n"
        "end\n"
        "return rows\n"),

    /* now; counts of preconditions, writes and lines; key and version; key, expires, until when to keep it
     * (empty: for ever), "=" and value (empty: deleted); appended_ms, until, when it ends (empty: never), line.
     * Answers the sequence, which is the position of the last line, or "conflict", or "malformed". The log
     * comes first: what is revoked is revoked even if the rest should fail. */
    [GH_REDIS_COMMIT] = GH_STR_INIT(HEAD("") SAME_STORE VERSION
        "local conditions, writes, lines = tonumber(arg()), tonumber(arg()), tonumber(arg())\n"
        "for _ = 1, conditions do\n"
        "  local version = version_of(redis.call('GET', row_of(tenant, arg())))\n"
        "  if version == false then return 'malformed' end\n"
        "  if (version or '0') ~= arg() then return 'conflict' end\n"
        "end\n"
        "if writes + lines == 0 then return digits(sequence) end\n"
        "local last = redis.call('INCRBY', '{gh}:sequence', writes + lines)\n"
        "local first_write, position = at, last - lines\n"
        "at = at + 4 * writes\n"
        "for _ = 1, lines do\n"
        "  local appended, kept, ends, line = arg(), arg(), arg(), arg()\n"
        "  position = position + 1\n"
        "  redis.call('XADD', '{gh}:log', digits(position) .. '-0', 'a', appended, 'u', kept, 'l', line)\n"
        "  if ends ~= '' then redis.call('ZADD', '{gh}:until', ends, digits(position)) end\n"
        "end\n"
        "at = first_write\n"
        "local version = last - lines - writes\n"
        "for _ = 1, writes do\n"
        "  local key, expires, kept, value = arg(), arg(), arg(), arg()\n"
        "  local row, member = row_of(tenant, key), tenant .. key\n"
        "  version = version + 1\n"
        "  if value == '' then\n"
        "    redis.call('DEL', row)\n"
        "    redis.call('ZREM', tenant .. ':keys', key)\n"
        "  else\n"
        "    local text = digits(version) .. ':' .. expires .. ':' .. string.sub(value, 2)\n"
        "    if kept == '' then redis.call('SET', row, text)\n"
        "    else redis.call('SET', row, text, 'EXAT', kept) end\n"
        "    redis.call('ZADD', tenant .. ':keys', 0, key)\n"
        "  end\n"
        "  if value == '' or expires == '0' then redis.call('ZREM', '{gh}:expiry', member)\n"
        "  else redis.call('ZADD', '{gh}:expiry', expires, member) end\n"
        "end\n"
        "return digits(last)\n"),

    /* now, until when entries of the log are over, how many of each; the length of a "{gh:TENANT}". Answers
     * how many it was of the more numerous kind. */
    [GH_REDIS_SWEEP] = GH_STR_INIT(HEAD(",allow-oom") SAME_STORE VERSION
        "local over, limit, length = arg(), tonumber(arg()), tonumber(arg())\n"
        "local rows = redis.call('ZRANGEBYSCORE', '{gh}:expiry', '-inf', digits(now), 'LIMIT', 0, limit)\n"
        "for _, member in ipairs(rows) do\n"
        "  local owner, key = string.sub(member, 1, length), string.sub(member, length + 1)\n"
        "  redis.call('DEL', row_of(owner, key))\n"
        "  redis.call('ZREM', owner .. ':keys', key)\n"
        "  redis.call('ZREM', '{gh}:expiry', member)\n"
        "end\n"
        "local entries = redis.call('ZRANGEBYSCORE', '{gh}:until', '-inf', over, 'LIMIT', 0, limit)\n"
        "for _, position in ipairs(entries) do\n"
        "  redis.call('XDEL', '{gh}:log', position .. '-0')\n"
        "  redis.call('ZREM', '{gh}:until', position)\n"
        "end\n"
        "return math.max(#rows, #entries)\n"),

    /* The key; the limit's number; milliseconds of a slot, how many are kept; what is needed, what is expected,
     * a part of what is left. Answers how much was granted, and in how many milliseconds there is more. This is
     * gh_rate_grant; by the server's clock, which is one for all. */
    [GH_REDIS_TAKE] = GH_STR_INIT(HEAD("") SAME_STORE
        "local key, requests, slot_ms, kept = tenant .. ':' .. arg(), tonumber(arg()), tonumber(arg()), tonumber(arg())\n"
        "local need, extra, part = tonumber(arg()), tonumber(arg()), tonumber(arg())\n"
        "local time = redis.call('TIME')\n"
        "local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)\n"
        "local now, used, slots, taken = math.floor(now_ms / slot_ms), 0, {}, {}\n"
        "for slot, count in string.gmatch(redis.call('GET', key) or '', '(%d+):(%d+) ') do\n"
        "  slot, count = tonumber(slot), tonumber(count)\n"
        "  if slot >= now - kept and slot <= now + kept then\n"
        "    slots[#slots + 1], taken[#slots + 1], used = slot, count, used + count\n"
        "  end\n"
        "end\n"
        "local left = math.max(requests - used, 0)\n"
        "local granted, wait = math.min(need, left), 0\n"
        "if granted < need then\n"
        "  local leaves, rest = now, used + granted\n"
        "  for i = 1, #slots do\n"
        "    if rest < requests then break end\n"
        "    rest, leaves = rest - taken[i], slots[i]\n"
        "  end\n"
        "  if rest >= requests then leaves = math.max(leaves, now) end\n"
        "  wait = (leaves + kept + 1) * slot_ms - now_ms\n"
        "else granted = granted + math.min(extra, math.floor((left - need) / part)) end\n"
        "if granted == 0 then return { 0, wait } end\n"
        "local text, counted = '', false\n"
        "local function add(slot, count) text = text .. digits(slot) .. ':' .. digits(count) .. ' ' end\n"
        "for i = 1, #slots do\n"
        "  if not counted and slots[i] > now then add(now, granted); counted = true end\n"
        "  local is_now = slots[i] == now\n"
        "  add(slots[i], taken[i] + (is_now and granted or 0))\n"
        "  counted = counted or is_now\n"
        "end\n"
        "if not counted then add(now, granted) end\n"
        "redis.call('SET', key, text, 'EXAT', math.ceil((now + 2 * kept + 2) * slot_ms / 1000))\n"
        "return { granted, wait }\n"),
};
/* clang-format on */

gh_str gh_redis_script(enum gh_redis_script which)
{
    return scripts[which];
}
