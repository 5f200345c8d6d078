package compose

import (
	"errors"
	"fmt"
	"strings"
)

var errOpenBrace = errors.New("a ${ has no closing brace")

// maxNesting bounds ${A:-${B:-…}}.
const maxNesting = 8

// interpolate replaces $NAME and ${NAME…} as compose does: with ":-" and "-" for a default, ":?" and "?" for a
// message, ":+" and "+" for a replacement, "$$" for a dollar. A variable that is not in env and has no default is an
// error: a blank in its place is never what was meant.
func interpolate(text string, env map[string]string) (string, error) {
	out, _, err := expandUntil(text, env, false, 0)
	return out, err
}

// expandUntil expands up to the end, or inside braces up to the closing one, and returns what follows.
func expandUntil(text string, env map[string]string, inBraces bool, depth int) (out, rest string, err error) {
	if depth > maxNesting {
		return "", "", fmt.Errorf("variables nest deeper than %d levels", maxNesting)
	}
	var b strings.Builder
	for text != "" {
		stop := strings.IndexByte(text, '$')
		if inBraces {
			stop = strings.IndexAny(text, "$}")
		}
		if stop < 0 {
			stop = len(text)
		}
		b.WriteString(text[:stop])
		text = text[stop:]
		if text == "" || text[0] == '}' {
			break
		}
		var value string
		if value, text, err = expandOne(text[1:], env, depth); err != nil {
			return "", "", err
		}
		b.WriteString(value)
		if b.Len() > maxExpandedBytes {
			return "", "", fmt.Errorf("the value grows beyond %d bytes", maxExpandedBytes)
		}
	}
	if inBraces {
		if text == "" {
			return "", "", errOpenBrace
		}
		return b.String(), text[1:], nil
	}
	return b.String(), text, nil
}

// expandOne expands what follows a dollar.
func expandOne(text string, env map[string]string, depth int) (value, rest string, err error) {
	if strings.HasPrefix(text, "$") {
		return "$", text[1:], nil
	}
	braces := strings.HasPrefix(text, "{")
	if braces {
		text = text[1:]
	}
	name := variableName(text)
	if name == "" {
		return "", "", fmt.Errorf("a lone $ starts no variable; write $$ for a dollar")
	}
	text = text[len(name):]
	value, set := env[name]
	if !braces || strings.HasPrefix(text, "}") {
		if !set {
			return "", "", fmt.Errorf("the variable %s is not set", name)
		}
		return value, strings.TrimPrefix(text, closing(braces)), nil
	}
	return expandWithOperator(name, value, set, text, env, depth)
}

func closing(braces bool) string {
	if braces {
		return "}"
	}
	return ""
}

func expandWithOperator(name, value string, set bool, text string, env map[string]string, depth int) (string, string, error) {
	good := set
	if strings.HasPrefix(text, ":") {
		text = text[1:]
		good = set && value != ""
	}
	if text == "" {
		return "", "", errOpenBrace
	}
	if !strings.ContainsRune("-?+", rune(text[0])) {
		return "", "", fmt.Errorf("${%s… is not a variable; write $$ for a dollar", name)
	}
	operator := text[0]
	needed := operator == '+' && good || operator == '-' && !good
	if !needed {
		// What is not used may name variables that are not set.
		rest, err := skipBraces(text[1:])
		if err != nil {
			return "", "", err
		}
		switch {
		case operator == '?' && !good:
			return "", "", fmt.Errorf("the variable %s is not set: %s", name, strings.TrimSuffix(text[1:len(text)-len(rest)], "}"))
		case operator == '+':
			return "", rest, nil
		}
		return value, rest, nil
	}
	return expandUntil(text[1:], env, true, depth+1)
}

// skipBraces returns what follows the brace that closes the one already open.
func skipBraces(text string) (string, error) {
	open := 1
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "$$"):
			i++
		case strings.HasPrefix(text[i:], "${"):
			open++
			i++
		case text[i] == '}':
			open--
		}
		if open == 0 {
			return text[i+1:], nil
		}
	}
	return "", errOpenBrace
}

// variableName returns the name that text begins with: a letter or underscore, then digits too.
func variableName(text string) string {
	for i := 0; i < len(text); i++ {
		c := text[i] | 0x20
		letter := c >= 'a' && c <= 'z' || text[i] == '_'
		if !letter && (i == 0 || text[i] < '0' || text[i] > '9') {
			return text[:i]
		}
	}
	return text
}
