package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
)

// command is what the program does when it is run beside its server, by souk exec.
func command(name string, args []string) {
	switch name {
	case "say": // its arguments, on both outputs
		fmt.Println(strings.Join(args, " "))
		fmt.Fprintln(os.Stderr, "said it")
	case "copy": // its input
		if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
			log.Fatal(err)
		}
	case "exit":
		code, err := strconv.Atoi(args[0])
		if err != nil {
			log.Fatal(err)
		}
		os.Exit(code)
	default:
		log.Fatalf("unknown command %q", name)
	}
}
