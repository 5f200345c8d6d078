package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

var (
	inlineCode = regexp.MustCompile("`[^`]*`")
	inlineLink = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)`)
	definition = regexp.MustCompile(`^\s{0,3}\[[^\]]+\]:\s+<?(\S+?)>?\s*$`)
	htmlLink   = regexp.MustCompile(`(?i)\b(?:href|src)="([^"]+)"`)
	heading    = regexp.MustCompile(`^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$`)
	htmlAnchor = regexp.MustCompile(`(?i)\b(?:id|name)="([^"]+)"`)
	scheme     = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9+.-]*:|//)`)
)

// deadLinks names each link to a file or heading that is not there, as file:line: link. Links with a scheme are
// left alone, as following them needs a network.
func deadLinks(files []string) ([]string, error) {
	var dead []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read for links: %w", err)
		}
		for _, l := range scan(string(text)) {
			if l.fence != "" {
				continue
			}
			for _, link := range targets(l.text) {
				if why := broken(file, link); why != "" {
					dead = append(dead, fmt.Sprintf("%s:%d: %s: %s", file, l.number, link, why))
				}
			}
		}
	}
	return dead, nil
}

// targets are the places that one line of prose links to.
func targets(text string) []string {
	text = inlineCode.ReplaceAllString(text, "``")
	var found []string
	for _, pattern := range []*regexp.Regexp{inlineLink, definition, htmlLink} {
		for _, match := range pattern.FindAllStringSubmatch(text, -1) {
			found = append(found, match[1])
		}
	}
	return found
}

// broken says why a link that stands in file leads nowhere, and nothing when it leads somewhere.
func broken(file, link string) string {
	if scheme.MatchString(link) {
		return ""
	}
	path, anchor, _ := strings.Cut(link, "#")
	path, err := url.PathUnescape(path)
	if err != nil {
		return err.Error()
	}
	if filepath.IsAbs(path) {
		return "an absolute path means nothing elsewhere"
	}
	target := file
	if path != "" {
		target = filepath.Join(filepath.Dir(file), path)
	}
	if _, err := os.Stat(target); err != nil {
		return "no such file"
	}
	if anchor == "" || !strings.EqualFold(filepath.Ext(target), ".md") {
		return ""
	}
	text, err := os.ReadFile(target)
	if err != nil {
		return err.Error()
	}
	if !anchors(string(text))[strings.ToLower(anchor)] {
		return "no such heading"
	}
	return ""
}

// anchors are the names by which the headings of a file can be linked to.
func anchors(markdown string) map[string]bool {
	names := map[string]bool{}
	for _, l := range scan(markdown) {
		if l.fence != "" {
			continue
		}
		for _, match := range htmlAnchor.FindAllStringSubmatch(l.text, -1) {
			names[strings.ToLower(match[1])] = true
		}
		match := heading.FindStringSubmatch(l.text)
		if match == nil {
			continue
		}
		name := slug(match[1])
		unique := name
		for n := 1; names[unique]; n++ { // a repeated heading gets a number
			unique = fmt.Sprintf("%s-%d", name, n)
		}
		names[unique] = true
	}
	return names
}

var linkText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// slug is a heading as forges write it in links: lower case, words joined by hyphens, no punctuation.
func slug(title string) string {
	title = linkText.ReplaceAllString(title, "$1")
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteRune('-')
		}
	}
	return b.String()
}
