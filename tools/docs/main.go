// Command docs checks what Markdown files say against the repository, without a network.
//
//	docs links FILE...        reports links to files and headings that do not exist
//	docs commands FILE        prints the commands of the file's ```sh blocks, one a line
//
// It knows nothing of what the files are about.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: docs links FILE... | docs commands FILE")
	}
	switch args[0] {
	case "links":
		dead, err := deadLinks(args[1:])
		if err != nil {
			return err
		}
		for _, link := range dead {
			fmt.Println(link)
		}
		if len(dead) > 0 {
			return fmt.Errorf("%d dead links", len(dead))
		}
		return nil
	case "commands":
		text, err := os.ReadFile(args[1])
		if err != nil {
			return fmt.Errorf("read the commands: %w", err)
		}
		for _, command := range commands(string(text)) {
			fmt.Println(command)
		}
		return nil
	}
	return fmt.Errorf("unknown check %q", args[0])
}
