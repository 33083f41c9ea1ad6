#include "policy/lua/lua_match.h"

enum { OPEN = -1, DEPTH_MAX = 200 };

static const char *match(struct lua_match *m, const char *s, const char *p);

static const char *wrong(struct lua_match *m, const char *what)
{
	m->wrong = what;
	return NULL;
}

static const char *subject_end(const struct lua_match *m)
{
	return m->subject.at + m->subject.len;
}

static const char *pattern_end(const struct lua_match *m)
{
	return m->pattern.at + m->pattern.len;
}

/* The byte there, or -1 past the end. */
static int pattern_byte(const struct lua_match *m, const char *p)
{
	return p < pattern_end(m) ? (unsigned char)*p : -1;
}

static bool spend(struct lua_match *m, size_t steps)
{
	if (steps >= m->steps) {
		m->steps = 0;
		return false;
	}
	m->steps -= steps;
	return true;
}

static bool between(int c, int low, int high)
{
	return c >= low && c <= high;
}

/* ASCII whatever the locale, as LuaJIT has it. */
static bool class_has(int class, int c)
{
	bool lower = between(c, 'a', 'z'), upper = between(c, 'A', 'Z'),
	     digit = between(c, '0', '9');
	bool has;

	switch (class | 0x20) {
	case 'a': has = lower || upper; break;
	case 'c': has = c < 32 || c == 127; break;
	case 'd': has = digit; break;
	case 'g': has = between(c, 33, 126); break;
	case 'l': has = lower; break;
	case 'p': has = between(c, 33, 126) && !lower && !upper && !digit; break;
	case 's': has = c == ' ' || between(c, 9, 13); break;
	case 'u': has = upper; break;
	case 'w': has = lower || upper || digit; break;
	case 'x': has = digit || between(c | 0x20, 'a', 'f'); break;
	case 'z': has = c == 0; break;
	default: return class == c;
	}
	return between(class, 'A', 'Z') ? !has : has;
}

/* Past one item: a byte, "%x" or "[set]". NULL: it has no end. */
static const char *item_end(struct lua_match *m, const char *p)
{
	const char *begin = p;
	int c = pattern_byte(m, p++);

	if (c == '%')
		return p < pattern_end(m) ? p + 1 : wrong(m, "malformed pattern (ends with '%')");
	if (c != '[')
		return p;
	if (pattern_byte(m, p) == '^')
		p++;
	do { /* a "]" right at the beginning is a member */
		c = pattern_byte(m, p++);
		if (c == '%')
			p++;
		if (c < 0 || p > pattern_end(m))
			return wrong(m, "malformed pattern (missing ']')");
	} while (pattern_byte(m, p) != ']');
	return spend(m, (size_t)(p - begin)) ? p + 1 : NULL;
}

/* set is at "[", last at its "]". */
static bool set_has(struct lua_match *m, const char *set, const char *last, int c)
{
	bool negated = set[1] == '^';
	const char *p = set + 1 + negated;

	if (!spend(m, (size_t)(last - set)))
		return false;
	while (p < last) {
		if (*p == '%') { /* p[1] is there: at worst the "]" */
			if (class_has((unsigned char)p[1], c))
				return !negated;
			p += 2;
		} else if (p + 2 < last && p[1] == '-') {
			if (between(c, (unsigned char)p[0], (unsigned char)p[2]))
				return !negated;
			p += 3;
		} else {
			if ((unsigned char)*p++ == c)
				return !negated;
		}
	}
	return negated;
}

/* Does the item p..end stand for the byte at s? */
static bool item_has(struct lua_match *m, const char *s, const char *p, const char *end)
{
	int c;

	if (s >= subject_end(m))
		return false;
	c = (unsigned char)*s;
	switch (*p) {
	case '.': return true;
	case '%': return class_has((unsigned char)p[1], c);
	case '[': return set_has(m, p, end - 1, c);
	default: return (unsigned char)*p == c;
	}
}

static const char *balance(struct lua_match *m, const char *s, const char *p)
{
	size_t deep = 1;

	if (pattern_end(m) - p < 2)
		return wrong(m, "unbalanced pattern");
	if (s >= subject_end(m) || *s != *p)
		return NULL;
	while (++s < subject_end(m) && spend(m, 1)) {
		if (*s == p[1]) {
			if (--deep == 0)
				return s + 1;
		} else if (*s == *p) {
			deep++;
		}
	}
	return NULL;
}

/* "%f[set]": the set has the next byte and not the one before; outside stands for byte 0. */
static bool frontier(struct lua_match *m, const char *s, const char *set, const char *end)
{
	int before = s == m->subject.at ? 0 : (unsigned char)s[-1];
	int next = s < subject_end(m) ? (unsigned char)*s : 0;

	return !set_has(m, set, end - 1, before) && set_has(m, set, end - 1, next);
}

static const char *longest(struct lua_match *m, const char *s, const char *p, const char *end)
{
	const char *at = s;

	while (item_has(m, at, p, end) && spend(m, 1))
		at++;
	for (; at >= s; at--) {
		const char *found = match(m, at, end + 1);

		if (found || m->wrong || m->steps == 0)
			return found;
	}
	return NULL;
}

static const char *shortest(struct lua_match *m, const char *s, const char *p, const char *end)
{
	for (;;) {
		const char *found = match(m, s, end + 1);

		if (found || m->wrong || m->steps == 0)
			return found;
		if (!item_has(m, s++, p, end))
			return NULL;
	}
}

static const char *capture_open(struct lua_match *m, const char *s, const char *p, ptrdiff_t len)
{
	unsigned n = m->capture_count;
	const char *found;

	if (n == LUA_MATCH_CAPTURES)
		return wrong(m, "too many captures");
	m->capture[n].at = s;
	m->capture[n].len = len;
	m->capture_count = n + 1;
	found = match(m, s, p);
	if (!found)
		m->capture_count--;
	return found;
}

static const char *capture_close(struct lua_match *m, const char *s, const char *p)
{
	unsigned n = m->capture_count;
	const char *found;

	while (n > 0 && m->capture[n - 1].len != OPEN)
		n--;
	if (n == 0)
		return wrong(m, "invalid pattern capture");
	m->capture[n - 1].len = s - m->capture[n - 1].at;
	found = match(m, s, p);
	if (!found)
		m->capture[n - 1].len = OPEN;
	return found;
}

static const char *capture_again(struct lua_match *m, const char *s, int digit)
{
	unsigned n = (unsigned)(digit - '1');
	size_t len;

	if (digit == '0' || n >= m->capture_count || m->capture[n].len == OPEN)
		return wrong(m, "invalid capture index");
	if (m->capture[n].len == LUA_MATCH_POSITION)
		return NULL;
	len = (size_t)m->capture[n].len;
	if (!spend(m, len / 8 + 1) || len > (size_t)(subject_end(m) - s) ||
	    memcmp(s, m->capture[n].at, len) != 0)
		return NULL;
	return s + len;
}

/* What begins with "%" and is no item; *p moves past it. false: it is an item. */
static bool match_special(struct lua_match *m, const char **s, const char **p)
{
	const char *set = *p + 2, *end;
	int c = pattern_byte(m, *p + 1);

	if (c == 'b') {
		*s = balance(m, *s, set);
		*p = set + 2;
	} else if (c == 'f') {
		if (pattern_byte(m, set) != '[') {
			*s = wrong(m, "missing '[' after '%f' in pattern");
			return true;
		}
		end = item_end(m, set);
		if (!end || !frontier(m, *s, set, end))
			*s = NULL;
		*p = end;
	} else if (between(c, '0', '9')) {
		*s = capture_again(m, *s, c);
		*p = set;
	} else {
		return false;
	}
	return true;
}

static const char *match_here(struct lua_match *m, const char *s, const char *p)
{
	while (p < pattern_end(m)) {
		const char *end, *found;

		if (!spend(m, 1))
			return NULL;
		if (*p == '(')
			return pattern_byte(m, p + 1) == ')' ?
				       capture_open(m, s, p + 2, LUA_MATCH_POSITION) :
				       capture_open(m, s, p + 1, OPEN);
		if (*p == ')')
			return capture_close(m, s, p + 1);
		if (*p == '$' && p + 1 == pattern_end(m))
			return s == subject_end(m) ? s : NULL;
		if (*p == '%' && match_special(m, &s, &p)) {
			if (!s)
				return NULL;
			continue;
		}
		end = item_end(m, p);
		if (!end)
			return NULL;
		switch (pattern_byte(m, end)) {
		case '?':
			found = item_has(m, s, p, end) ? match(m, s + 1, end + 1) : NULL;
			if (found || m->wrong)
				return found;
			p = end + 1;
			break;
		case '*':
			return longest(m, s, p, end);
		case '+':
			return item_has(m, s, p, end) ? longest(m, s + 1, p, end) : NULL;
		case '-':
			return shortest(m, s, p, end);
		default:
			if (!item_has(m, s, p, end))
				return NULL;
			s++;
			p = end;
		}
	}
	return s;
}

static const char *match(struct lua_match *m, const char *s, const char *p)
{
	const char *end;

	if (m->depth == DEPTH_MAX)
		return wrong(m, "pattern too complex");
	m->depth++;
	end = match_here(m, s, p);
	m->depth--;
	return m->steps ? end : NULL;
}

const char *lua_match_at(struct lua_match *m, const char *at)
{
	m->depth = 0;
	m->capture_count = 0;
	m->wrong = NULL;
	return match(m, at, m->pattern.at);
}

bool lua_match_is_plain(struct slice pattern)
{
	for (size_t i = 0; i < pattern.len; i++)
		if (slice_has(SLICE("^$*+?.([%-"), pattern.at[i]))
			return false;
	return true;
}
