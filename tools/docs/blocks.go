package main

import (
	"regexp"
	"strings"
)

// line is one line of Markdown: prose has an empty fence, code the fence's language ("text" when it has none).
type line struct {
	number int
	text   string
	fence  string
}

var fenceMark = regexp.MustCompile("^\\s*(```+|~~~+)\\s*([A-Za-z0-9_-]*)")

// scan tells code from prose. The fences themselves are left out.
func scan(markdown string) []line {
	var lines []line
	mark, language := "", ""
	for i, text := range strings.Split(markdown, "\n") {
		found := fenceMark.FindStringSubmatch(text)
		switch {
		case mark == "" && found != nil:
			mark, language = found[1], found[2]
			if language == "" {
				language = "text"
			}
		case mark != "" && found != nil && strings.HasPrefix(found[1], mark) && found[2] == "":
			mark, language = "", ""
		default:
			lines = append(lines, line{number: i + 1, text: text, fence: language})
		}
	}
	return lines
}

// commands are the lines of all ```sh blocks, without comments; a backslash at the end joins a line with the next.
func commands(markdown string) []string {
	var found []string
	joined := ""
	for _, l := range scan(markdown) {
		if l.fence != "sh" {
			continue
		}
		text := joined + stripComment(strings.TrimSpace(l.text))
		joined = ""
		if before, more := strings.CutSuffix(text, `\`); more {
			joined = before
			continue
		}
		if text != "" {
			found = append(found, text)
		}
	}
	return found
}

var comment = regexp.MustCompile(`(^|\s+)#\s.*$`)

func stripComment(text string) string { return comment.ReplaceAllString(text, "") }
