package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCommands(t *testing.T) {
	markdown := "# Title\n" +
		"```sh\nmake demo   # a whole network\n\n# only a comment\nmake \\\n  test\ncurl http://host/#part\n```\n" +
		"make nothing\n" +
		"```console\n$ souk ps\n```\n" +
		"```\nmake other\n```\n" +
		"1. step\n   ```sh\n   souk up\n   ```\n"
	require.Equal(t, []string{"make demo", "make test", "curl http://host/#part", "souk up"}, commands(markdown))
}

func TestCommandsDoNotEndAtAShorterFence(t *testing.T) {
	require.Equal(t, []string{"make a", "make b"}, commands("```sh\nmake a\n```\n````md\n```sh\nmake no\n```\n````\n```sh\nmake b\n```\n"))
}

func TestDeadLinks(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	write("docs/guide.md", "# The guide\n\n## What it *costs*, and why\n\n## Twice\n\n## Twice\n\n<a id=\"old\"></a>\n\n```\n# not a heading\n```\n")
	write("docs/a file.txt", "")

	cases := map[string]struct{ link, why string }{
		"a file":                       {"docs/guide.md", ""},
		"a folder":                     {"docs/", ""},
		"a file with a space":          {"docs/a%20file.txt", ""},
		"a heading":                    {"docs/guide.md#the-guide", ""},
		"a heading with punctuation":   {"docs/guide.md#what-it-costs-and-why", ""},
		"the second of a name":         {"docs/guide.md#twice-1", ""},
		"an anchor in HTML":            {"docs/guide.md#old", ""},
		"a heading of the same file":   {"#start", ""},
		"a web page":                   {"https://example.com/nowhere", ""},
		"an address":                   {"mailto:someone@example.com", ""},
		"a file that is not there":     {"docs/gone.md", "no such file"},
		"a heading that is not there":  {"docs/guide.md#gone", "no such heading"},
		"a comment in code":            {"docs/guide.md#not-a-heading", "no such heading"},
		"an own heading that is gone":  {"#gone", "no such heading"},
		"a third of what stands twice": {"docs/guide.md#twice-2", "no such heading"},
		"an absolute path":             {"/etc/passwd", "an absolute path means nothing elsewhere"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			write("README.md", "# Start\nSee [it]("+c.link+") now.\n")
			dead, err := deadLinks([]string{"README.md"})
			require.NoError(t, err)
			if c.why == "" {
				require.Empty(t, dead)
				return
			}
			require.Equal(t, []string{"README.md:2: " + c.link + ": " + c.why}, dead)
		})
	}
}

func TestDeadLinksAreFoundInEveryForm(t *testing.T) {
	t.Chdir(t.TempDir())
	text := "[a](a.md \"title\") [b](<b.md>)\n[ref]: c.md\n<img src=\"d.png\">\n`[e](e.md)`\n```\n[f](f.md)\n```\n![g](g.png)\n"
	require.NoError(t, os.WriteFile("README.md", []byte(text), 0o644))
	dead, err := deadLinks([]string{"README.md"})
	require.NoError(t, err)
	require.Equal(t, []string{
		"README.md:1: a.md: no such file",
		"README.md:1: b.md: no such file",
		"README.md:2: c.md: no such file",
		"README.md:3: d.png: no such file",
		"README.md:8: g.png: no such file",
	}, dead)
}
