package gateway

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestTerminalControlIsTakenOut(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain text stays", "Grüße, 世界\tend", "Grüße, 世界\tend"},
		{"colours", "\x1b[31mred\x1b[0m", "red"},
		{"cursor", "a\x1b[2J\x1b[1;1Hb", "ab"},
		{"title, ended by BEL", "a\x1b]0;owned\x07b", "ab"},
		{"title, ended by ESC \\", "a\x1b]0;owned\x1b\\b", "ab"},
		{"title without an end", "a\x1b]0;owned", "a"},
		{"device control", "a\x1bPq#0\x1b\\b", "ab"},
		{"one-character form", "a\u009b31mb", "ab"},
		{"carriage return and backspace", "real\r\b\bfake", "realfake"},
		{"line feed in a line", "a\nb", "ab"},
		{"direction of writing", "a\u202eb\u2066c", "abc"},
		{"not UTF-8", "a\xffb", "a\ufffdb"},
		{"escape at the end", "a\x1b", "a"},
		{"broken sequence", "a\x1b[3\x01b", "ab"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, Plain(tt.in)) })
	}
}

func FuzzPlain(f *testing.F) {
	f.Add("\x1b[31mred\x1b]0;x\x07\u009b1m")
	f.Fuzz(func(t *testing.T, s string) {
		out := Plain(s)
		require.True(t, utf8.ValidString(out))
		for _, r := range out {
			require.False(t, r != '\t' && hidden(r), "%q came through in %q", r, out)
		}
		require.Equal(t, out, Plain(out))
	})
}
