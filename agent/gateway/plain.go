package gateway

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain takes out of a text from a container whatever could move a terminal's cursor, change its title or hide text:
// control characters but the tab, escape sequences with them, and marks that turn the direction of writing.
func Plain(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == 0x1b:
			n = escapeLength(s[i:])
		case r == 0x9b: // the one-character form of ESC [
			n += controlLength(s[i+n:])
		case r == utf8.RuneError && n == 1:
			b.WriteRune(utf8.RuneError)
		case r == '\t' || !hidden(r):
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

func clean(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || r != '\t' && hidden(r) {
			return false
		}
	}
	return true
}

// hidden tells characters that are not seen but do something.
func hidden(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// escapeLength is the length of the escape sequence at the start of s.
func escapeLength(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case '[':
		return 2 + controlLength(s[2:])
	case ']', 'P', 'X', '^', '_': // strings, which end with BEL or ESC \
		for i := 2; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b {
				return min(i+2, len(s))
			}
		}
		return len(s)
	}
	return 2
}

// controlLength is the length of parameters and final byte of a control sequence.
func controlLength(s string) int {
	for i := range len(s) {
		if s[i] >= 0x40 && s[i] <= 0x7e {
			return i + 1
		}
		if s[i] < 0x20 || s[i] > 0x3f {
			return i // not a sequence after all
		}
	}
	return len(s)
}
